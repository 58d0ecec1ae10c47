"""`python -m sceneparse`, as `torchrun -m sceneparse` needs it."""

from sceneparse.cli import main

if __name__ == "__main__":
    main()
