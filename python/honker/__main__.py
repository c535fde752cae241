"""``python -m honker`` is the program ``honker``."""

from honker.cli.main import main

if __name__ == "__main__":
    main()
