"""What every repository can do, whatever its model; knows no aggregate."""
