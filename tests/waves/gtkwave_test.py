"""Save files, filters and markers in GTKWave itself; and that the check would see what is wrong."""
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import gtkwave
from check_save_file import check

MAKE_WAVES = os.path.abspath(sys.argv.pop(1))


class save_files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.display = gtkwave.Display()
        cls.addClassCleanup(cls.display.close)

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name

    def make(self, what, name=None):
        """Path of the waves, or None if this build does not write such a file."""
        path = os.path.join(self.folder, name or what + ".vcd")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        done = subprocess.run([MAKE_WAVES, path, what], capture_output=True, text=True)
        if done.returncode and path.endswith(".fst") and "this build" in done.stderr:
            return None
        self.assertEqual(done.returncode, 0, done.stderr)
        return path

    def blocks_of(self, waves):
        folder = waves + ".blocks"
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]

    def all_right(self, saves, expect=None):
        self.assertEqual(check(self.display, saves, expect), [])

    def edit(self, path, old, new):
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        self.assertIn(old, text)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text.replace(old, new))

    def wrong(self, waves, *parts):
        problems = check(self.display, [waves + ".gtkw"], waves + ".expected")
        self.assertTrue(problems)
        for part in parts:
            self.assertIn(part, "\n".join(problems))

    def test_every_scene_in_both_kinds_of_file(self):
        for kind in ("vcd", "fst"):
            for what in ("devices", "numbers", "integers"):
                with self.subTest(f"{what}.{kind}"):
                    waves = self.make(what, f"{what}.{kind}")
                    if waves:
                        self.all_right([waves + ".gtkw"], waves + ".expected")

    def test_every_block(self):
        waves = self.make("devices")
        blocks = self.blocks_of(waves)
        self.assertEqual([os.path.basename(path) for path in blocks],
                         [f"npu0.{block}.gtkw" for block in ("array", "context0", "core", "dma0", "dram", "state_buffer")])
        self.all_right(blocks, waves + ".expected")  # together they show everything
        self.assertFalse(os.path.exists(self.make("numbers") + ".blocks"))  # there is but one

    def test_a_folder_may_move(self):
        waves = self.make("devices", "here/run/a.vcd")
        shutil.move(os.path.join(self.folder, "here"), os.path.join(self.folder, "elsewhere"))
        waves = waves.replace("/here/", "/elsewhere/")
        self.all_right([waves + ".gtkw", *self.blocks_of(waves)], waves + ".expected")

    def test_a_folder_may_have_a_blank_in_its_name(self):
        waves = self.make("devices", "my runs/a b.vcd")
        self.all_right([waves + ".gtkw", *self.blocks_of(waves)], waves + ".expected")

    def test_old_save_files_go_but_not_those_of_a_reader(self):
        waves = self.make("devices")
        mine, old = os.path.join(waves + ".blocks", "mine.gtkw"), os.path.join(waves + ".blocks", "npu0.dma7.gtkw")
        shutil.copy(waves + ".gtkw", mine)
        self.edit(mine, "[*] retrace\n", "[*]\n[*] GTKWave Analyzer\n")
        shutil.copy(waves + ".gtkw", old)
        self.make("devices")
        self.assertTrue(os.path.exists(mine))
        self.assertFalse(os.path.exists(old))
        self.make("numbers", "devices.vcd")
        self.assertEqual(os.listdir(waves + ".blocks"), ["mine.gtkw"])

    def test_a_signal_that_is_not_there_is_seen(self):
        waves = self.make("devices")
        self.edit(waves + ".gtkw", "npu0.dma0.state[2:0]", "npu0.dma0.stat[2:0]")
        self.wrong(waves, "npu0.dma0.stat[2:0]: the waves have no such signal")

    def test_a_filter_that_is_not_there_is_seen(self):
        for name in ("sequencer_3.txt", "float.sh"):
            with self.subTest(name):
                waves = self.make("devices")
                os.remove(os.path.join(waves + ".filters", name))
                self.wrong(waves, name + ": the filter does not load")

    def test_a_wrong_filter_is_seen(self):
        waves = self.make("devices")
        self.edit(os.path.join(waves + ".filters", "opcode_8.txt"), "11 matmul", "11 copy")
        self.wrong(waves, "npu0.array.opcode[7:0] at marker A is shown as 'copy', expected is 'matmul'")
        self.edit(os.path.join(waves + ".filters", "float.sh"), "'%.9g\\n'", "'%.3e\\n'")
        self.wrong(waves, "npu0.array.pe_0_0.sum[31:0] at marker A is shown as '1.500e+00', the waves have '1.5'")

    def test_a_marker_elsewhere_is_seen(self):
        waves = self.make("devices")
        self.edit(waves + ".gtkw", " 50000 ", " 999999999 ")
        self.wrong(waves, "marker B")

    def test_a_value_that_is_not_expected_is_seen(self):
        waves = self.make("devices")
        self.edit(waves + ".expected", "bus_error", "bad_shape")
        self.wrong(waves, "npu0.dma0.fault[3:0] at marker A is shown as 'bus_error', expected is 'bad_shape'")
        self.edit(waves + ".expected", "npu0.dma0.fault[3:0]", "npu0.dma1.fault[3:0]")
        self.wrong(waves, "no save file shows npu0.dma1.fault[3:0]")

    def test_without_the_waves_it_ends(self):
        waves = self.make("devices")
        os.remove(waves)
        with self.assertRaises(gtkwave.GtkwaveError):
            gtkwave.show(self.display, waves + ".gtkw", deadline=20)

    def test_without_a_display_it_ends(self):
        waves = self.make("numbers")
        with gtkwave.Display() as gone:
            pass
        began = time.monotonic()
        with self.assertRaises(gtkwave.GtkwaveError):
            gtkwave.show(gone, waves + ".gtkw", deadline=60)
        self.assertLess(time.monotonic() - began, 50)


if __name__ == "__main__":
    if gtkwave.missing():
        print("needs Debian packages:", *gtkwave.missing())
        sys.exit(gtkwave.SKIP)
    unittest.main()
