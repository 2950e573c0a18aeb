#include <array>

#include "sim/proof/check_lists.h"

namespace retrace::proof {

namespace {

constexpr std::array checks{
    proof_check{
        "hidden_stays",
        "No command, of training or evaluation, names host memory for the output of a hidden layer; what "
        "commands may write there is the network's output, the loss and the gradients of weights and "
        "biases.",
        proof_scope::always,
        R"(SELECT CASE WHEN u.role = 'IO' THEN 'hidden output' ELSE 'not to be written' END AS what,
               w.phase, u.sequence, u.slot, u.tensor, u.version, u.base, u.bytes FROM expected e, use u
             LEFT JOIN work w USING (device, sequence)
             WHERE u.memory = 'host'
                 AND ((u.role = 'IO' AND u.layer > 0 AND u.layer < e.layers)
                 OR (u.writes
                 AND NOT coalesce(u.role IN ('dW', 'db', 'loss')
                 OR (u.role = 'IO' AND u.layer = e.layers), 0))))",
        "SELECT count(*) FROM use WHERE memory = 'host'"},
    proof_check{
        "hidden_stays_tiles",
        "No instruction writes bytes of a hidden layer's output to host memory, nor anything else than the "
        "network's output, the loss and the gradients of weights and biases.",
        proof_scope::always,
        R"(SELECT t.sequence, t.step, t.engine, t.pc, t.tensor, t.version, t.base, t.size0, t.size1
             FROM expected e, tile t
             WHERE t.memory = 'host' AND t.write
                 AND NOT coalesce(t.role IN ('dW', 'db', 'loss')
                 OR (t.role = 'IO' AND t.layer = e.layers), 0))",
        "SELECT count(*) FROM tile WHERE memory = 'host' AND write"},
    proof_check{"gradients_out",
                "Once a step, B_k writes dW_k (and db_k) of that step to host memory, and the host changes "
                "the layer's weights once, after it has "
                "received them.",
                proof_scope::always,
                R"(WITH owed AS (SELECT s.step, l.layer, 'dW' AS role FROM step s, wanted_layer l
               UNION ALL SELECT s.step, l.layer, 'db' FROM step s, wanted_layer l
               WHERE l.bias), sent AS (SELECT w.step, w.layer, u.role, w.phase, w.sequence, w.seen
               FROM use u JOIN work w USING (device, sequence)
               WHERE u.memory = 'host' AND u.writes AND u.role IN ('dW', 'db') AND u.layer = w.layer
               AND u.version = w.step),
               host AS (SELECT action, step, layer, count(*) AS times, min(cycle) AS cycle FROM host_event
               GROUP BY action, step, layer) SELECT 'sent ' || count(s.sequence) || ' times by B' AS what,
               o.step, o.layer, o.role AS tensor, NULL AS seen, NULL AS received, NULL AS updated
             FROM owed o
             LEFT JOIN sent s ON s.step = o.step AND s.layer = o.layer AND s.role = o.role
                 AND s.phase = 'backward'
             GROUP BY o.step, o.layer, o.role
             HAVING count(s.sequence) <> 1
           UNION ALL SELECT 'written by another command', w.step, w.layer, u.tensor, w.seen, NULL, NULL
             FROM use u
             JOIN work w USING (device, sequence)
             WHERE u.writes AND u.role IN ('dW', 'db')
                 AND NOT (w.phase = 'backward' AND u.layer = w.layer AND u.version = w.step)
           UNION ALL SELECT 'host', o.step, o.layer, o.role, max(s.seen), r.cycle, u.cycle FROM owed o
             LEFT JOIN sent s ON s.step = o.step AND s.layer = o.layer AND s.role = o.role
                 AND s.phase = 'backward'
             LEFT JOIN host r ON r.step = o.step AND r.layer = o.layer AND r.action = 'gradient_received'
             LEFT JOIN host u ON u.step = o.step AND u.layer = o.layer AND u.action = 'weights_updated'
             WHERE o.role = 'dW'
             GROUP BY o.step, o.layer
             HAVING NOT coalesce(r.times = 1 AND u.times = 1 AND max(s.seen) <= r.cycle
                 AND r.cycle <= u.cycle, 0))",
                "SELECT count(*) FROM use u JOIN work w USING (device, sequence) WHERE u.memory = 'host' AND "
                "u.writes AND u.role IN ('dW', 'db')"},
    proof_check{"gradients_out_tiles",
                "B_k writes every byte of dW_k (and db_k) to host memory exactly once.", proof_scope::always,
                R"(SELECT w.sequence, w.step, w.layer, u.tensor, u.bytes,
               (SELECT sum(size0 * size1 * size2 * size3) FROM tile t
               WHERE t.device = u.device AND t.sequence = u.sequence AND t.write AND t.memory = 'host'
               AND t.tag = u.tag AND t.version = u.version) AS written FROM trained w
             JOIN use u USING (device, sequence)
             WHERE w.phase = 'backward' AND w.step IN (SELECT step FROM tile_step) AND u.memory = 'host'
                 AND u.role IN ('dW', 'db') AND coalesce(written, 0) <> u.bytes)",
                R"(SELECT count(*) FROM tile t
             JOIN trained w USING (device, sequence)
             WHERE w.phase = 'backward' AND t.write AND t.memory = 'host' AND t.role IN ('dW', 'db'))"},
    proof_check{
        "weights_from_host",
        "Weights and biases in device memory are written only by transfers whose source is the same tensor "
        "and version in host memory.",
        proof_scope::always,
        R"(SELECT w.phase, u.sequence, w.step, w.layer, u.slot, u.tensor, u.version, u.memory, u.base,
               u.bytes FROM use u
             LEFT JOIN work w USING (device, sequence), capacity c
             WHERE c.name = 'weights' AND u.writes AND u.bytes > 0 AND u.memory <> 'host'
                 AND (u.role IN ('W', 'b')
                 OR (u.memory = 'device_dram' AND u.base < c.base + c.bytes AND u.base + u.bytes > c.base))
                 AND NOT coalesce(w.phase = 'transfer' AND u.role IN ('W', 'b') AND EXISTS (SELECT 1
                 FROM use h WHERE h.device = u.device AND h.sequence = u.sequence AND h.memory = 'host'
                 AND h.reads AND h.tag = u.tag AND h.version = u.version), 0))",
        "SELECT count(*) FROM use WHERE writes AND memory <> 'host' AND role IN ('W', 'b')"},
    proof_check{
        "weights_from_host_tiles",
        "Every instruction that writes to the weights' region copies a weight or bias from host memory.",
        proof_scope::always,
        R"(SELECT t.sequence, t.step, t.engine, t.pc, t.opcode, t.tensor, t.version, t.base,
               t.size0 * t.size1 AS bytes FROM tile t, capacity c
             WHERE c.name = 'weights' AND t.memory = 'device_dram' AND t.write
                 AND t.base < c.base + c.bytes AND t.base + t.stride1 * (t.size1 - 1) + t.size0 > c.base
                 AND NOT coalesce(t.role IN ('W', 'b') AND EXISTS (SELECT 1 FROM tile h
                 WHERE h.device = t.device AND h.sequence = t.sequence AND h.engine = t.engine
                 AND h.pc = t.pc AND NOT h.write AND h.memory = 'host' AND h.tag = t.tag), 0))",
        "SELECT count(*) FROM tile WHERE memory = 'device_dram' AND write AND role IN ('W', 'b')"},
    proof_check{
        "weights_after_backward",
        "Weights of a version go down after every B of the steps before it has ended, and after the host "
        "has updated and written them.",
        proof_scope::always,
        R"(WITH upload AS (SELECT u.device, u.sequence, u.tensor, u.layer, u.version, w.submitted, w.begun
               FROM use u JOIN work w USING (device, sequence)
               WHERE u.writes AND u.memory <> 'host' AND u.role IN ('W', 'b'))
               SELECT 'before B_' || b.layer || ' has ended' AS what, u.sequence, u.tensor, u.version,
               u.begun, b.sequence AS other, b.ended FROM upload u
             JOIN trained b ON b.phase = 'backward' AND b.step = u.version - 1
                 AND NOT coalesce(b.ended <= u.begun, 0)
           UNION ALL SELECT 'before the host wrote them', u.sequence, u.tensor, u.version, u.begun, NULL,
               NULL FROM upload u
             WHERE NOT EXISTS (SELECT 1 FROM host_event h
                 WHERE h.action = 'weights_written' AND h.layer = u.layer AND h.version = u.version
                 AND h.cycle <= u.submitted)
           UNION ALL SELECT 'before the host updated them', u.sequence, u.tensor, u.version, u.begun, NULL,
               NULL FROM upload u
             WHERE u.version > 1 AND NOT EXISTS (SELECT 1 FROM host_event h
                 WHERE h.action = 'weights_updated' AND h.layer = u.layer AND h.step = u.version - 1
                 AND h.cycle <= u.submitted))",
        "SELECT count(*) FROM use WHERE writes AND memory <> 'host' AND role IN ('W', 'b')"},
};

} // namespace

std::span<const proof_check> host_checks() { return checks; }

} // namespace retrace::proof
