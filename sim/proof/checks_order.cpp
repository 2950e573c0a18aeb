#include <array>

#include "sim/proof/check_lists.h"

namespace retrace::proof {

namespace {

constexpr std::array checks{
    proof_check{
        "device_work",
        "Every F, LG and B of every finished step ran on the device under a command of the host (submitted "
        "< begun < ended <= seen, status ok), and no other command writes a layer's output or gradient.",
        proof_scope::always,
        R"(SELECT 'not a completed command' AS what, sequence, phase, step, layer, status, submitted,
               begun, ended, seen FROM trained
             WHERE NOT coalesce(status = 'ok' AND submitted < begun AND begun < ended AND ended <= seen, 0)
           UNION ALL SELECT 'submitted, but never begun', m.sequence, NULL, NULL, NULL, NULL, m.cycle,
               NULL, NULL, NULL FROM command_moment m
             WHERE m.moment = 'submitted' AND m.sequence <= (SELECT max(sequence) FROM trained t
                 WHERE t.device = m.device) AND NOT EXISTS (SELECT 1 FROM command c
                 WHERE c.device = m.device AND c.sequence = m.sequence)
           UNION ALL SELECT 'no F', NULL, 'forward', s.step, l.layer, NULL, NULL, NULL, NULL, NULL
             FROM step s, wanted_layer l
             WHERE NOT EXISTS (SELECT 1 FROM output o
                 WHERE o.step = s.step AND o.layer = l.layer AND o.phase = 'forward' AND o.bytes > 0)
           UNION ALL SELECT 'no B', NULL, 'backward', s.step, l.layer, NULL, NULL, NULL, NULL, NULL
             FROM step s, wanted_layer l
             WHERE NOT EXISTS (SELECT 1 FROM work w
                 WHERE w.step = s.step AND w.layer = l.layer AND w.phase = 'backward')
           UNION ALL SELECT 'no LG', NULL, 'loss_gradient', s.step, NULL, NULL, NULL, NULL, NULL, NULL
             FROM step s
             WHERE NOT EXISTS (SELECT 1 FROM work w WHERE w.step = s.step AND w.phase = 'loss_gradient')
           UNION ALL SELECT u.tensor || ' written by another command', w.sequence, w.phase, w.step,
               w.layer, w.status, w.submitted, w.begun, w.ended, w.seen FROM use u
             JOIN work w USING (device, sequence), expected e
             WHERE u.writes AND u.memory <> 'host' AND NOT u.evaluation AND w.step IN (SELECT step
                 FROM step) AND ((u.role = 'IO' AND u.layer > 0
                 AND NOT (w.phase IN ('forward', 'recompute') AND w.layer = u.layer))
                 OR (u.role = 'G' AND u.layer = e.layers AND w.phase <> 'loss_gradient')
                 OR (u.role = 'G' AND u.layer < e.layers
                 AND NOT (w.phase = 'backward' AND w.layer = u.layer + 1))))",
        "SELECT count(*) FROM trained"},
    proof_check{"device_work_tiles",
                "Every F and B streams rows through the PE array, and LG computes in the vector engine.",
                proof_scope::always,
                R"(SELECT w.sequence, w.phase, w.step, w.layer FROM trained w
             WHERE w.step IN (SELECT step FROM tile_step) AND NOT EXISTS (SELECT 1 FROM tile t
                 WHERE t.device = w.device AND t.sequence = w.sequence AND t.write
                 AND CASE WHEN w.phase = 'loss_gradient' THEN t.opcode IN ('binary', 'reduce_rows')
                 ELSE t.opcode = 'matmul' END))",
                "SELECT count(*) FROM trained WHERE step IN (SELECT step FROM tile_step)"},
    proof_check{
        "order",
        "In every step F_1 .. F_L end one before the other, LG begins after F_L, and B_L .. B_1 begin "
        "after LG, each after the one above it.",
        proof_scope::always,
        R"(SELECT 'F and the F above it' AS what, a.sequence, a.phase, a.step, a.layer, a.ended,
               b.sequence AS then_sequence, b.begun FROM trained a
             JOIN trained b ON b.device = a.device AND b.step = a.step AND b.phase = 'forward'
                 AND b.layer = a.layer + 1
             WHERE a.phase = 'forward' AND NOT a.ended <= b.begun
           UNION ALL SELECT 'F and LG', a.sequence, a.phase, a.step, a.layer, a.ended, b.sequence, b.begun
             FROM trained a
             JOIN trained b ON b.device = a.device AND b.step = a.step AND b.phase = 'loss_gradient'
             WHERE a.phase = 'forward' AND NOT a.ended <= b.begun
           UNION ALL SELECT 'LG and B', a.sequence, a.phase, a.step, a.layer, a.ended, b.sequence, b.begun
             FROM trained a
             JOIN trained b ON b.device = a.device AND b.step = a.step AND b.phase = 'backward'
             WHERE a.phase = 'loss_gradient' AND NOT a.ended <= b.begun
           UNION ALL SELECT 'B and the B below it', a.sequence, a.phase, a.step, a.layer, a.ended,
               b.sequence, b.begun FROM trained a
             JOIN trained b ON b.device = a.device AND b.step = a.step AND b.phase = 'backward'
                 AND b.layer = a.layer - 1
             WHERE a.phase = 'backward' AND NOT a.ended <= b.begun)",
        "SELECT count(*) FROM trained WHERE phase <> 'recompute'"},
    proof_check{
        "regenerated_after_loss",
        "Each regenerated layer runs F_k before LG and F_k' after LG has ended and before the backward "
        "that reads it; LG is in the wait set of the step's first recompute.",
        proof_scope::regenerates,
        R"(SELECT 'no F_k before LG' AS what, r.sequence, r.step, r.layer, r.begun, r.ended FROM trained r
             WHERE r.phase = 'recompute' AND NOT EXISTS (SELECT 1 FROM trained f
                 JOIN trained g ON g.device = f.device AND g.step = f.step
                 WHERE f.device = r.device AND f.step = r.step AND f.phase = 'forward'
                 AND f.layer = r.layer AND g.phase = 'loss_gradient' AND f.ended <= g.begun)
           UNION ALL SELECT 'F_k'' begins before LG has ended', r.sequence, r.step, r.layer, r.begun,
               r.ended FROM trained r
             JOIN trained g ON g.device = r.device AND g.step = r.step AND g.phase = 'loss_gradient'
             WHERE r.phase = 'recompute' AND NOT g.ended <= r.begun
           UNION ALL SELECT 'the first recompute does not wait for LG', r.sequence, r.step, r.layer,
               r.begun, r.ended FROM trained r
             WHERE r.phase = 'recompute' AND r.begun = (SELECT min(x.begun) FROM trained x
                 WHERE x.step = r.step AND x.phase = 'recompute') AND NOT EXISTS (SELECT 1
                 FROM command_wait c JOIN trained g ON g.device = c.device AND g.sequence = c.waits_for
                 WHERE c.device = r.device AND c.sequence = r.sequence AND g.phase = 'loss_gradient'
                 AND g.step = r.step)
           UNION ALL SELECT 'F_k'' after B_' || b.layer, r.sequence, r.step, r.layer, r.begun, r.ended
             FROM trained r
             JOIN trained b ON b.device = r.device AND b.step = r.step AND b.phase = 'backward'
                 AND b.layer = r.layer + 1
             WHERE r.phase = 'recompute' AND NOT r.ended <= b.begun
           UNION ALL SELECT 'no backward reads it', r.sequence, r.step, r.layer, r.begun, r.ended
             FROM trained r
             WHERE r.phase = 'recompute' AND NOT EXISTS (SELECT 1 FROM trained b
                 JOIN use u USING (device, sequence) WHERE b.device = r.device AND b.step = r.step
                 AND b.phase = 'backward' AND u.reads AND u.role = 'IO' AND u.layer = r.layer))",
        "SELECT count(*) FROM trained WHERE phase = 'recompute'"},
    proof_check{"resident_used", "No F_k' regenerates an output that is still there whole when it begins.",
                proof_scope::regenerates,
                R"(SELECT r.sequence, r.step, r.layer, r.begun, m.name AS memory, l.born, l.died FROM output r
             JOIN life l ON l.device = r.device AND l.tag = r.tag AND l.version = r.version
                 AND l.born < r.begun AND (l.died IS NULL OR l.died > r.begun)
             JOIN memory_name m ON m.memory = l.memory
             WHERE r.phase = 'recompute' AND EXISTS (SELECT 1 FROM tensor_life t
                 WHERE t.device = l.device AND t.tag = l.tag AND t.version = l.version
                 AND t.memory = l.memory AND t.moment = 'complete' AND t.cycle BETWEEN l.born AND r.begun
                 AND t.bytes >= r.bytes))",
                "SELECT count(*) FROM output WHERE phase = 'recompute'"},
    proof_check{"backward_reads",
                "B_k may read exactly IO_{k-1}, G_k and, where it hands a gradient down (k > 1), W_k, all of "
                "this step.",
                proof_scope::always,
                R"(WITH wanted AS ( SELECT b.device, b.sequence, b.step, b.layer, 'IO' AS role,
               b.layer - 1 AS of_layer FROM trained b WHERE b.phase = 'backward'
               UNION ALL SELECT b.device, b.sequence, b.step, b.layer, 'G', b.layer FROM trained b
               WHERE b.phase = 'backward'
               UNION ALL SELECT b.device, b.sequence, b.step, b.layer, 'W', b.layer FROM trained b
               WHERE b.phase = 'backward' AND b.layer > 1) SELECT 'not permitted' AS what, b.sequence,
               b.step, b.layer, u.tensor, u.version, u.memory FROM trained b
             JOIN use u USING (device, sequence)
             WHERE b.phase = 'backward' AND u.reads AND (u.tag <> 0 OR u.memory IN ('host', 'device_dram'))
                 AND NOT EXISTS (SELECT 1 FROM wanted w
                 WHERE w.device = u.device AND w.sequence = u.sequence AND w.role = u.role
                 AND w.of_layer = u.layer AND NOT u.evaluation AND u.version = w.step)
           UNION ALL SELECT 'missing', w.sequence, w.step, w.layer, w.role || '_' || w.of_layer, NULL, NULL
             FROM wanted w
             WHERE NOT EXISTS (SELECT 1 FROM use u WHERE u.device = w.device AND u.sequence = w.sequence
                 AND u.reads AND u.role = w.role AND u.layer = w.of_layer))",
                "SELECT count(*) FROM trained b JOIN use u USING (device, sequence) WHERE b.phase = "
                "'backward' AND u.reads AND u.tag <> 0"},
    proof_check{
        "backward_reads_tiles",
        "From outside its working buffers B_k reads exactly IO_{k-1}, G_k and, for k > 1, W_k; within "
        "them, besides these, only what it computes itself.",
        proof_scope::always,
        R"(WITH backward AS (SELECT * FROM trained
               WHERE phase = 'backward' AND step IN (SELECT step FROM tile_step)),
               wanted AS ( SELECT b.device, b.sequence, b.step, b.layer, 'IO' AS role,
               b.layer - 1 AS of_layer FROM backward b
               UNION ALL SELECT b.device, b.sequence, b.step, b.layer, 'G', b.layer FROM backward b
               UNION ALL SELECT b.device, b.sequence, b.step, b.layer, 'W', b.layer FROM backward b
               WHERE b.layer > 1) SELECT 'read' AS what, b.sequence, b.step, b.layer, t.tensor, t.version,
               t.memory, t.engine, t.pc, t.base FROM backward b
             JOIN tile t USING (device, sequence)
             WHERE NOT t.write AND (t.tag <> 0 OR NOT t.working) AND NOT EXISTS (SELECT 1 FROM wanted w
                 WHERE w.device = t.device AND w.sequence = t.sequence AND w.role = t.role
                 AND w.of_layer = t.layer AND NOT t.evaluation AND t.version = w.step)
                 AND NOT (t.working AND EXISTS (SELECT 1 FROM use u
                 WHERE u.device = t.device AND u.sequence = t.sequence AND u.writes AND u.tag = t.tag
                 AND u.version = t.version))
           UNION ALL SELECT 'never read', w.sequence, w.step, w.layer, w.role || '_' || w.of_layer, NULL,
               NULL, NULL, NULL, NULL FROM wanted w
             WHERE NOT EXISTS (SELECT 1 FROM tile t WHERE t.device = w.device AND t.sequence = w.sequence
                 AND NOT t.write AND NOT t.working AND t.role = w.role AND t.layer = w.of_layer))",
        R"(SELECT count(*) FROM trained b
             JOIN tile t USING (device, sequence)
             WHERE b.phase = 'backward' AND NOT t.write AND NOT t.working)"},
    proof_check{"same_bits", "Every regenerated output has the bytes and the checksum of the first one.",
                proof_scope::regenerates,
                R"(SELECT r.sequence, r.step, r.layer, r.bytes, r.checksum, f.bytes AS first_bytes,
               f.checksum AS first_checksum FROM output r
             LEFT JOIN output f ON f.device = r.device AND f.step = r.step AND f.layer = r.layer
                 AND f.phase = 'forward'
             WHERE r.phase = 'recompute'
                 AND NOT coalesce(r.bytes > 0 AND r.bytes = f.bytes AND r.checksum = f.checksum, 0)
           UNION ALL SELECT w.sequence, w.step, w.layer, NULL, NULL, NULL, NULL FROM trained w
             WHERE w.phase = 'recompute' AND NOT EXISTS (SELECT 1 FROM output r
                 WHERE r.device = w.device AND r.sequence = w.sequence))",
                "SELECT count(*) FROM output WHERE phase = 'recompute'"},
    proof_check{
        "same_weights",
        "F_k, F_k' and B_k of a step read one version of the layer's weights, the step's, and nothing "
        "rewrites them in between.",
        proof_scope::always,
        R"(SELECT 'version' AS what, w.sequence, w.phase, w.step, w.layer, u.tensor, u.version
             FROM trained w
             JOIN use u USING (device, sequence)
             WHERE u.reads AND u.role IN ('W', 'b') AND u.version <> w.step
           UNION ALL SELECT 'no weights', w.sequence, w.phase, w.step, w.layer, NULL, NULL FROM trained w
             WHERE w.phase IN ('forward', 'recompute') AND NOT EXISTS (SELECT 1 FROM use u
                 WHERE u.device = w.device AND u.sequence = w.sequence AND u.reads AND u.role = 'W'
                 AND u.layer = w.layer)
           UNION ALL SELECT 'rewritten', c.sequence, c.phase, c.step, c.layer, n.tensor, n.version
             FROM use n
             JOIN work c USING (device, sequence)
             JOIN (SELECT u.device, u.base, max(u.bytes) AS bytes, min(w.begun) AS first,
                 max(w.ended) AS last FROM trained w JOIN use u USING (device, sequence)
                 WHERE u.reads AND u.role IN ('W', 'b') GROUP BY u.device, w.step, u.tag, u.base) r
                 ON r.device = n.device AND n.base < r.base + r.bytes AND r.base < n.base + n.bytes
             WHERE n.writes AND n.memory = 'device_dram' AND c.begun < r.last AND c.ended > r.first)",
        "SELECT count(*) FROM trained w JOIN use u USING (device, sequence) WHERE u.reads AND u.role = 'W'"},
    proof_check{
        "executions", "Every step executes F and F' as often as the schedule's closed form says.",
        proof_scope::always,
        R"(SELECT s.step, count(w.sequence) AS executed, e.executions AS expected FROM expected e, step s
             LEFT JOIN trained w ON w.step = s.step AND w.phase IN ('forward', 'recompute')
             GROUP BY s.step
             HAVING count(w.sequence) <> e.executions)",
        "SELECT count(*) FROM step"},
};

} // namespace

std::span<const proof_check> order_checks() { return checks; }

} // namespace retrace::proof
