"""hw/registers.md is the page that the generator makes of the specification."""
import os
import tempfile
import unittest

from spec_files import ROOT, SPEC, generate


class registers_page(unittest.TestCase):
    def test_is_up_to_date(self):
        with tempfile.TemporaryDirectory() as folder:
            code, errors = generate(SPEC, folder)
            self.assertEqual((code, errors), (0, ""))
            with open(os.path.join(folder, "tables.md"), encoding="utf-8") as stream:
                fresh = stream.read()
        with open(os.path.join(ROOT, "hw", "registers.md"), encoding="utf-8") as stream:
            committed = stream.read()
        self.assertTrue(committed == fresh, "hw/registers.md differs from the specification; after a build take it over:\n"
                                            "    cp build/default/generated/hw/spec/tables.md hw/registers.md")


if __name__ == "__main__":
    unittest.main()
