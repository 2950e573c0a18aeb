"""The include rules hold in this tree, and the check sees what it forbids."""
import os
import tempfile
import unittest

import include_rules

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


class tree(unittest.TestCase):
    def test_every_include_follows_the_architecture(self):
        faults = include_rules.violations(ROOT)
        self.assertEqual(faults, [], "\n" + "\n".join(faults))

    def test_the_check_reads_the_tree(self):
        paths = list(include_rules.sources(ROOT))
        for expected in ("tlm/npu.h", "tlm/core/npu_config.h", "host/port.h", "firmware/common/crt0.S", "trace/events.h"):
            self.assertIn(expected, paths)


class fixture(unittest.TestCase):
    def faults_of(self, path, text):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, os.path.dirname(path)))
            with open(os.path.join(root, path), "w", encoding="utf-8") as stream:
                stream.write(text)
            return include_rules.violations(root)

    def refused(self, path, include, part=""):
        faults = self.faults_of(path, f"#pragma once\n#include {include}\n")
        self.assertEqual(len(faults), 1, f"{path} {include}: {faults}")
        self.assertTrue(faults[0].startswith(f"{path}:2: "), faults[0])
        self.assertIn(part, faults[0])

    def accepted(self, path, include):
        self.assertEqual(self.faults_of(path, f"#include {include}\n"), [])

    def test_the_device_core_knows_neither_systemc_nor_host_nor_simulator(self):
        for include in ("<systemc>", "<systemc.h>", "<tlm>", "<tlm_utils/simple_initiator_socket.h>", "<sysc/kernel/sc_time.h>"):
            self.refused("tlm/core/x.cpp", include, "SystemC")
        for include in ('"host/port.h"', '"sim/config/load.h"', '"tlm/npu.h"', '"waves/writer.h"', '"tests/golden/golden.h"'):
            self.refused("tlm/core/x.cpp", include)

    def test_the_device_knows_neither_host_nor_simulator(self):
        for include in ('"host/port.h"', '"host/graph/network.h"', '"sim/config/load.h"', "<sqlite3.h>"):
            self.refused("tlm/dma/x.h", include)
        for include in ("<systemc>", "<tlm_utils/simple_initiator_socket.h>", '"tlm/core/npu_config.h"', '"tlm/npu.h"'):
            self.accepted("tlm/dma/x.h", include)

    def test_the_host_compiles_without_device_and_systemc(self):
        for part in ("driver", "graph", "compiler", "training", "embedding"):
            for include in ("<systemc>", "<tlm>", '"tlm/core/npu_config.h"', '"sim/config/load.h"', '"firmware/firmware_image.h"'):
                self.refused(f"host/{part}/x.cpp", include)
        self.refused("host/port.h", '"host/driver/driver.h"')

    def test_the_host_includes_downward_only(self):
        for part, include in (("graph", "compiler"), ("graph", "driver"), ("compiler", "training"), ("compiler", "driver"),
                              ("driver", "graph"), ("driver", "compiler"), ("training", "embedding"), ("embedding", "training")):
            self.refused(f"host/{part}/x.cpp", f'"host/{include}/y.h"')
        for part, include in (("training", "compiler/y.h"), ("training", "driver/y.h"), ("embedding", "graph/y.h"),
                              ("compiler", "graph/y.h"), ("driver", "port.h"), ("training", "port.h")):
            self.accepted(f"host/{part}/x.cpp", f'"host/{include}"')

    def test_leaves_include_nothing_of_the_tree_and_everybody_may_include_them(self):
        for include in ('"tlm/core/npu_config.h"', '"host/port.h"', "<sqlite3.h>", "<systemc>"):
            self.refused("trace/x.h", include)
        self.refused("hw/spec/x.h", '"trace/events.h"')
        for path in ("tlm/core/x.h", "tlm/x.h", "host/graph/x.h", "host/driver/x.h", "waves/x.h", "sim/cli/x.h"):
            self.accepted(path, '"trace/events.h"')
            self.accepted(path, '"hw/spec/spec.h"')

    def test_firmware_uses_the_generated_header_only(self):
        self.accepted("firmware/control/x.c", '"hw/spec/spec_c.h"')
        self.accepted("firmware/control/x.c", '"firmware/common/machine.h"')
        for include in ('"trace/events.h"', '"tlm/core/npu_config.h"', '"host/port.h"'):
            self.refused("firmware/control/x.c", include)

    def test_the_verilated_facade_sees_the_array_interface_only(self):
        self.accepted("hw/verilated/x.h", '"tlm/core/array/array_interface.h"')
        for include in ('"tlm/core/array/kernel_array.h"', '"tlm/core/npu_config.h"', "<systemc>"):
            self.refused("hw/verilated/x.h", include)
        self.refused("sim/platform/x.h", "<verilated.h>", "Verilator")

    def test_waves_and_simulator(self):
        self.refused("waves/x.h", '"tlm/npu.h"')
        self.refused("waves/x.h", '"host/port.h"')
        for include in ('"tlm/npu.h"', '"host/training/x.h"', '"waves/x.h"', '"firmware/firmware_image.h"', "<sqlite3.h>"):
            self.accepted("sim/cli/x.cpp", include)
        self.refused("sim/cli/x.cpp", '"tests/golden/golden.h"')

    def test_includes_start_at_the_root(self):
        self.refused("tlm/dma/x.cpp", '"dma_queue.h"', "root")
        self.refused("tlm/dma/x.cpp", '"../npu.h"', "root")
        self.refused("sim/cli/x.cpp", '<tlm/npu.h>', "quotes")

    def test_spelling_and_comments_do_not_hide_or_invent_an_include(self):
        self.assertEqual(len(self.faults_of("tlm/core/x.h", "  #  include\t<systemc>\n")), 1)
        self.assertEqual(self.faults_of("tlm/core/x.h", "// #include <systemc>\n/*\n#include <systemc>\n*/\n"), [])

    def test_a_folder_that_the_architecture_does_not_know_is_a_fault(self):
        self.assertEqual(len(self.faults_of("extras/x.cpp", "int x;\n")), 1)
        self.assertEqual(len(self.faults_of("host/extras/x.cpp", "int x;\n")), 1)


if __name__ == "__main__":
    unittest.main()
