"""What the tests of the specification share: where things are, and running the generator."""
import os
import shutil
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
SPEC = os.path.join(ROOT, "hw", "spec")
YAML_FILES = ("registers.yaml", "isa.yaml", "limits.yaml")


def generate(spec_folder, output_folder):
    """Exit code and standard error of the generator."""
    command = [sys.executable, "-B", os.path.join(SPEC, "generate.py"), spec_folder, output_folder]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def copy_spec(folder):
    os.makedirs(folder, exist_ok=True)
    for name in YAML_FILES:
        shutil.copy(os.path.join(SPEC, name), folder)


def compiler(variable, *fallbacks):
    """A compiler from the environment (CTest sets it), else from PATH."""
    for candidate in (os.environ.get(variable), *fallbacks):
        if candidate and shutil.which(candidate):
            return candidate
    raise RuntimeError(f"no compiler: set {variable} or install one of {', '.join(fallbacks)}")
