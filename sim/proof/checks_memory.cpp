#include <array>

#include "sim/proof/check_lists.h"

namespace retrace::proof {

namespace {

constexpr std::array checks{
    proof_check{"overwrites_range",
                "From layer 2 on, F_k and F_k' write IO_k to the addresses in device DRAM at which IO_{k-1} "
                "stands: no second buffer.",
                proof_scope::in_place,
                R"(SELECT w.sequence, w.phase, w.step, w.layer, i.memory AS memory_in, i.base AS base_in,
               o.memory AS memory_out, o.base AS base_out FROM trained w
             LEFT JOIN use i ON i.device = w.device AND i.sequence = w.sequence AND i.reads AND i.role = 'IO'
                 AND i.layer = w.layer - 1
             LEFT JOIN use o ON o.device = w.device AND o.sequence = w.sequence AND o.writes AND o.role = 'IO'
                 AND o.layer = w.layer
             WHERE w.phase IN ('forward', 'recompute') AND w.layer >= 2
                 AND NOT coalesce(i.memory = 'device_dram' AND o.memory = 'device_dram'
                 AND i.base = o.base, 0))",
                "SELECT count(*) FROM trained WHERE phase IN ('forward', 'recompute') AND layer >= 2"},
    proof_check{
        "overwrites_rows_tiles",
        "Row by row of the batch, in-place layers read the input whole, finish all output columns, and "
        "only then write over that row, once and whole.",
        proof_scope::in_place,
        R"(SELECT 'row' AS what, p.sequence, p.step, p.layer, n.n AS row, i.bytes AS bytes_read,
               p.row_in AS of_bytes, i.last AS read_until, o.first AS written_from,
               o.bytes AS bytes_written, p.row_out AS output_bytes FROM in_place p
             JOIN number n
             LEFT JOIN row_moved i ON i.device = p.device AND i.sequence = p.sequence AND i.row = +n.n
                 AND NOT i.write
             LEFT JOIN row_moved o ON o.device = p.device AND o.sequence = p.sequence AND o.row = +n.n
                 AND o.write
             WHERE NOT coalesce(i.bytes = p.row_in AND o.bytes = p.row_out AND i.last <= o.first, 0)
           UNION ALL SELECT 'stored in parts', p.sequence, p.step, p.layer, w.first_row, NULL, NULL, NULL,
               w.begun, w.size0, p.row_out FROM in_place p
             JOIN block w ON w.device = p.device AND w.sequence = p.sequence AND w.write
             WHERE NOT (w.column = 0 AND w.size0 = p.row_out)
           UNION ALL SELECT 'stored before its columns were finished', p.sequence, p.step, p.layer,
               s.first_row, NULL, NULL, NULL, s.begun, finished, s.size0 * s.size1
             FROM (SELECT s.*, (SELECT sum(f.bytes) FROM finished f
                 WHERE f.device = s.device AND f.sequence = s.sequence AND f.memory = s.memory
                 AND f.tag = s.tag AND f.base >= s.base AND f.base < s.behind AND f.begun >= s.since
                 AND f.ended <= s.begun) AS finished FROM store s) s
             JOIN in_place p ON p.device = s.device AND p.sequence = s.sequence
             WHERE coalesce(finished, 0) <> s.size0 * s.size1)",
        "SELECT count(*) FROM row_moved"},
    proof_check{
        "overwrites_running_tiles",
        "In-place layers begin to write their first rows before their last rows are computed, and, where the "
        "input comes in more blocks than the two that a double buffer holds, before the last are read.",
        proof_scope::in_place,
        R"(SELECT * FROM (SELECT p.sequence, p.step, p.layer,
               (SELECT min(b.begun) FROM block b
                 WHERE b.device = p.device AND b.sequence = p.sequence AND b.write) AS first_write,
               (SELECT max(f.ended) FROM finished f
                 WHERE f.device = p.device AND f.sequence = p.sequence AND f.tag = p.tag_out) AS last_computed,
               (SELECT max(b.ended) FROM block b
                 WHERE b.device = p.device AND b.sequence = p.sequence AND NOT b.write) AS last_read,
               (SELECT count(DISTINCT b.first_row) FROM block b
                 WHERE b.device = p.device AND b.sequence = p.sequence AND NOT b.write) AS blocks
             FROM in_place p)
             WHERE (SELECT batch FROM expected) > 1
               AND NOT coalesce(first_write < last_computed AND (blocks = 2 OR first_write < last_read), 0))",
        "SELECT count(*) FROM in_place"},
    proof_check{
        "copies_released",
        "When the command that took a hidden output from its buffer (overwrote or released it) has ended, "
        "no byte of that output is live in any memory, SRAM and PSUM included, until its F_k' begins.",
        proof_scope::always,
        R"(WITH gone AS ( SELECT l.device, l.tag, l.version, o.layer, w.ended AS since,
               (SELECT min(r.begun) FROM output r
               WHERE r.device = l.device AND r.tag = l.tag AND r.version = l.version
               AND r.phase = 'recompute' AND r.begun >= w.ended) AS until FROM life l
               JOIN output o ON o.device = l.device AND o.tag = l.tag AND o.version = l.version
               AND o.phase = 'forward' AND o.memory_number = l.memory
               JOIN work w ON w.device = l.device AND w.sequence = l.ended_by) SELECT r.name AS tensor,
               g.version, g.since AS gone_since, g.until AS until_recompute, m.name AS memory, l.born,
               l.died FROM gone g
             JOIN life l ON l.device = g.device AND l.tag = g.tag AND l.version = g.version
             JOIN memory_name m ON m.memory = l.memory
             JOIN role r ON r.tag = l.tag
             WHERE (g.until IS NULL OR l.born < g.until) AND (l.died IS NULL OR l.died > g.since))",
        R"(SELECT count(*) FROM life l
             JOIN output o ON o.device = l.device AND o.tag = l.tag AND o.version = l.version
                 AND o.phase = 'forward' AND o.memory_number = l.memory
             WHERE l.died IS NOT NULL)"},
    proof_check{
        "stale_reads",
        "No engine ever read a byte that was not live, or that was another tensor's or version's than its "
        "instruction says.",
        proof_scope::always,
        R"(SELECT s.cycle, s.engine, s.sequence, s.pc, m.name AS memory, s.address, s.bytes,
               e.name AS expected, s.expected_version, coalesce(f.name, s.found_tag) AS found,
               s.found_version FROM stale_read s
             LEFT JOIN memory_name m ON m.memory = s.memory
             LEFT JOIN role e ON e.tag = s.expected_tag
             LEFT JOIN role f ON f.tag = s.found_tag)",
        "SELECT count(*) FROM use WHERE reads AND memory <> 'host'"},
    proof_check{
        "capacity",
        "No memory or region ever held more than its capacity, and outputs, gradients and weights in "
        "device DRAM lie in their own regions.",
        proof_scope::always,
        R"(SELECT 'too much' AS what, o.name, max(o.peak) AS bytes, c.bytes AS capacity, NULL AS sequence
             FROM occupancy o
             JOIN capacity c ON c.name = o.name
             GROUP BY o.device, o.name
             HAVING max(o.peak) > c.bytes
           UNION ALL SELECT u.tensor || ' outside its region', c.name, u.base + u.bytes, c.base + c.bytes,
               u.sequence FROM use u
             JOIN capacity c ON c.is_region AND c.name = CASE u.role WHEN 'IO' THEN 'activations'
                 WHEN 'G' THEN 'gradients' WHEN 'W' THEN 'weights' WHEN 'b' THEN 'weights' END
             WHERE u.memory = 'device_dram' AND (u.base < c.base OR u.base + u.bytes > c.base + c.bytes)
           UNION ALL SELECT 'never measured', c.name, NULL, c.bytes, NULL FROM capacity c
             WHERE NOT EXISTS (SELECT 1 FROM occupancy o WHERE o.name = c.name))",
        "SELECT count(*) FROM occupancy"},
    proof_check{"small_activations", "The capacity of the activations' region is below input + IO_1 + IO_2.",
                proof_scope::small_activations,
                R"(SELECT c.bytes AS capacity, (SELECT sum(bytes)
               FROM (SELECT max(t.bytes) AS bytes FROM tensor_life t JOIN role r ON r.tag = t.tag
               WHERE t.moment = 'complete' AND r.role = 'IO' AND NOT r.evaluation AND r.layer <= 2
               GROUP BY r.layer)) AS input_and_two FROM capacity c
             WHERE c.name = 'activations' AND NOT coalesce(c.bytes < input_and_two, 0))",
                R"(SELECT count(DISTINCT r.layer) FROM tensor_life t
             JOIN role r ON r.tag = t.tag
             WHERE t.moment = 'complete' AND r.role = 'IO' AND NOT r.evaluation AND r.layer <= 2)"},
};

} // namespace

std::span<const proof_check> memory_checks() { return checks; }

} // namespace retrace::proof
