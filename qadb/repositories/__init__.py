"""Reading and writing the QA domain, one file an aggregate. The unit of work commits."""
