"""``python -m MedUSISLib.cli``: the same as ``medusis``, where no console script is installed (in Slicer)."""

from MedUSISLib.cli.main import main

if __name__ == "__main__":
    main()
