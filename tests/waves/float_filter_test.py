"""The script that shows words as numbers (FILE.filters/float.sh), in every shell there is, against Python's own binary32."""
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

from check_save_file import float_text

MAKE_WAVES = os.path.abspath(sys.argv.pop(1))
SHELLS = ("sh", "dash", "bash", "busybox", "ksh", "zsh")
EDGES = (0, 1, 0x007FFFFF, 0x00800000, 0x00800001, 0x3F800000, 0x4B7FFFFF, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FBFFFFF,
         0x7FC00000, 0x7FC00001, 0x7FFFFFFF)


class float_filter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        waves = os.path.join(scratch.name, "n.vcd")
        subprocess.run([MAKE_WAVES, waves, "numbers"], check=True)
        cls.script = os.path.join(waves + ".filters", "float.sh")

    def run_lines(self, shell, lines):
        command = [shell, "sh", self.script] if shell == "busybox" else [shell, self.script]
        done = subprocess.run(command, input="".join(line + "\n" for line in lines), capture_output=True, text=True, check=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.split("\n")[:-1]

    def compare(self, shell, words, digits):
        shown = self.run_lines(shell, [f"{word:0{digits}X}" for word in words])
        self.assertEqual(len(shown), len(words))
        wrong = [(hex(word), text) for word, text in zip(words, shown) if text != float_text(word, digits)]
        self.assertEqual(wrong[:10], [])

    def test_words_of_every_exponent(self):
        chosen = random.Random(1)
        words = [sign | word for word in EDGES for sign in (0, 0x80000000)]
        words += [exponent << 23 | chosen.getrandbits(23) | chosen.getrandbits(1) << 31 for exponent in range(256) for _ in range(20)]
        words += [chosen.getrandbits(23) >> chosen.randrange(23) for _ in range(1000)]  # subnormals
        for shell in filter(shutil.which, SHELLS):
            with self.subTest(shell):
                self.compare(shell, words, 8)

    def test_every_bf16(self):
        self.compare("sh", range(1 << 16), 4)

    def test_what_is_no_number_comes_back(self):
        lines = ["XXXXXXXX", "xxxx", "3fc", "", "3FC00000", "3fc00000", "123456789", "zzzzzzzz", "3fc0"]
        self.assertEqual(self.run_lines("sh", lines), ["XXXXXXXX", "xxxx", "3fc", "", "1.5", "1.5", "123456789", "zzzzzzzz", "1.5"])

    def test_answers_each_line_before_it_reads_the_next(self):
        self.assertTrue(os.access(self.script, os.X_OK))
        with subprocess.Popen([self.script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            for word, text in (("40490FDB", "3.14159274"), ("80000000", "-0")):
                process.stdin.write(word + "\n")
                process.stdin.flush()
                self.assertEqual(process.stdout.readline(), text + "\n")
            process.stdin.close()
            self.assertEqual(process.wait(10), 0)


if __name__ == "__main__":
    unittest.main()
