"""The generator refuses a specification that contradicts itself, with one line that names the entry."""
import os
import tempfile
import unittest

from spec_files import SPEC, copy_spec, generate


class generator(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.spec = os.path.join(self.scratch.name, "spec")
        self.output = os.path.join(self.scratch.name, "out")
        copy_spec(self.spec)

    def edit(self, name, old, new):
        path = os.path.join(self.spec, name)
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        self.assertIn(old, text, f"this test edits {name}, which has changed")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text.replace(old, new, 1))

    def refused(self, *parts):
        code, errors = generate(self.spec, self.output)
        self.assertNotEqual(code, 0)
        for part in parts:
            self.assertIn(part, errors)
        self.assertNotIn("Traceback", errors)
        self.assertEqual(errors.strip().count("\n"), 0, errors)
        self.assertFalse(os.path.exists(self.output), "nothing is written for a refused specification")

    def outputs(self):
        result = {}
        for name in sorted(os.listdir(self.output)):
            path = os.path.join(self.output, name)
            with open(path, encoding="utf-8") as stream:
                result[name] = (stream.read(), os.stat(path).st_mtime_ns)
        return result

    def test_the_specification_of_the_tree_is_accepted_and_unchanged_files_are_not_touched(self):
        self.assertEqual(generate(SPEC, self.output), (0, ""))
        first = self.outputs()
        self.assertEqual(set(first), {"spec.h", "spec_c.h", "spec.svh", "tables.md"})
        self.assertEqual(generate(SPEC, self.output), (0, ""))
        self.assertEqual(self.outputs(), first)

    def test_a_duplicate_key(self):
        self.edit("limits.yaml", "  semaphores:", "  contexts: {value: 4, text: again}\n  semaphores:")
        self.refused("limits.yaml:", "duplicate key contexts")

    def test_a_duplicate_register(self):
        self.edit("registers.yaml", "      version:  ", "      id:  ")
        self.refused("registers.yaml:", "duplicate key id")

    def test_overlapping_fields(self):
        self.edit("registers.yaml", "trapped: [1, 1, RO", "trapped: [1, 0, RO")
        self.refused("host.status.trapped", "overlaps")

    def test_two_registers_at_one_offset(self):
        self.edit("registers.yaml", "offset: 0x058, access: RO", "offset: 0x054, access: RO")
        self.refused("host.cycle_high", "0x54", "cycle_low")

    def test_an_array_that_runs_into_another_register(self):
        self.edit("registers.yaml", "offset: 0x104, count: 8, stride: 16", "offset: 0x104, count: 8, stride: 4")
        self.refused("host.region_bytes", "0x110", "region_base")

    def test_an_unaligned_register(self):
        self.edit("registers.yaml", "offset: 0x0a0", "offset: 0x0a2")
        self.refused("host.dma_queues", "0xa2", "multiple of 4")

    def test_an_unknown_access_kind(self):
        self.edit("registers.yaml", "id:            {offset: 0x000, access: RO", "id:            {offset: 0x000, access: R0")
        self.refused("host.id", "R0", "RW1C")

    def test_a_field_beyond_the_register(self):
        self.edit("registers.yaml", "columns: [31, 16, RO", "columns: [32, 16, RO")
        self.refused("host.array_shape.columns", "32:16")

    def test_a_reset_value_that_does_not_fit(self):
        self.edit("registers.yaml", "ready: [0, 0, RO, 0,", "ready: [0, 0, RO, 2,")
        self.refused("host.status.ready", "reset value 0x2")

    def test_a_misaligned_descriptor_field(self):
        self.edit("isa.yaml", '      - [tag, 4, "tensor tag', '      - [slack, 2, ""]\n      - [tag, 4, "tensor tag')
        self.refused("operand.tag", "offset 14 is not aligned to 4")

    def test_a_descriptor_whose_end_would_be_padded(self):
        self.edit("isa.yaml", '      - [reserved, 2, ""]\n  program:', '  program:')
        self.refused("operand", "22 bytes", "alignment 8")

    def test_a_nested_descriptor_off_its_alignment(self):
        self.edit("isa.yaml", '      - [operands, operand,', '      - [slack, 4, ""]\n      - [operands, operand,')
        self.refused("command.operands", "offset 132 is not aligned to 8")

    def test_a_descriptor_of_the_wrong_size(self):
        self.edit("isa.yaml", '      - [reserved, 8, ""]', '      - [reserved, 8, ""]\n      - [more, 8, ""]')
        self.refused("command", "520 bytes", "command_bytes", "512")

    def test_an_instruction_of_the_wrong_size(self):
        self.edit("isa.yaml", '      - [element_base, 4, ', '      - [more, 4, ""]\n      - [element_base, 4, ')
        self.refused("matrix", "68 bytes", "instruction_bytes", "64")

    def test_a_duplicate_opcode(self):
        self.edit("isa.yaml", "binary:       {opcode: 0x30", "binary:       {opcode: 0x20")
        self.refused("instruction binary", "0x20", "activate")

    def test_an_opcode_that_is_no_byte(self):
        self.edit("isa.yaml", "binary:       {opcode: 0x30", "binary:       {opcode: 0x130")
        self.refused("instruction binary", "304", "byte")

    def test_overlapping_flags(self):
        self.edit("isa.yaml", "flags: {accumulate: 0x01, swap: 0x02}", "flags: {accumulate: 0x02, swap: 0x02}")
        self.refused("instruction matmul", "swap", "overlaps")

    def test_an_unknown_layout_and_an_unknown_engine(self):
        self.edit("isa.yaml", "binary:       {opcode: 0x30, engines: [vector]", "binary:       {opcode: 0x30, engines: [vectr]")
        self.refused("instruction binary", "vectr")
        copy_spec(self.spec)
        self.edit("isa.yaml", "engines: [dma], layout: copy", "engines: [dma], layout: cpoy")
        self.refused("instruction copy", "cpoy")

    def test_two_names_for_one_code(self):
        self.edit("limits.yaml", "forward: 1, loss_gradient: 2", "forward: 1, loss_gradient: 1")
        self.refused("phase.loss_gradient", "forward")

    def test_a_count_that_is_no_limit(self):
        self.edit("isa.yaml", '0: none", max_waits]', '0: none", max_wait]')
        self.refused("command.wait", "max_wait")

    def test_a_missing_key_and_a_missing_file(self):
        self.edit("registers.yaml", 'text: "its banks"', 'txt: "its banks"')
        self.refused("host.state_buffer_banks", "text")
        os.remove(os.path.join(self.spec, "isa.yaml"))
        self.refused("isa.yaml")

    def test_a_syntax_error_names_file_and_line(self):
        self.edit("limits.yaml", "limits:", "limits: [")
        code, errors = generate(self.spec, self.output)
        self.assertNotEqual(code, 0)
        self.assertIn("limits.yaml", errors)
        self.assertNotIn("Traceback", errors)


if __name__ == "__main__":
    unittest.main()
