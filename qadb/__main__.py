"""Run the command line as ``python -m qadb``."""

from qadb.cli.app import main

if __name__ == "__main__":
    main()
