#include "sim/proof/tables.h"

namespace retrace::proof {

const char* expectation_tables() {
    return R"(
CREATE TEMP TABLE expected(schedule TEXT, layers INTEGER, spacing INTEGER, batch INTEGER,
    executions INTEGER);
-- Memories and regions of device DRAM.
CREATE TEMP TABLE capacity(name TEXT, base INTEGER, bytes INTEGER, is_region INTEGER);
-- Layers 1 .. L, and whether they owe a bias gradient.
CREATE TEMP TABLE wanted_layer(layer INTEGER PRIMARY KEY, bias INTEGER);
)";
}

// Names are cut at the underscore: "IO_3" is role IO of layer 3, "eval_IO_3" the same in an evaluation,
// "loss" has no layer.
const char* derived_tables() {
    return R"(
CREATE TEMP TABLE role(tag INTEGER PRIMARY KEY, name TEXT, role TEXT, layer INTEGER, evaluation INTEGER);
INSERT INTO role
  WITH plain AS (SELECT tag, name, CASE WHEN substr(name, 1, 5) = 'eval_' THEN substr(name, 6) ELSE name
      END AS bare FROM tensor) SELECT tag, name, CASE WHEN instr(bare, '_') = 0 THEN bare
      ELSE substr(bare, 1, instr(bare, '_') - 1) END, CASE WHEN instr(bare, '_') = 0 THEN NULL
      ELSE CAST(substr(bare, instr(bare, '_') + 1) AS INTEGER) END, bare <> name FROM plain;
CREATE TEMP TABLE memory_name(memory INTEGER PRIMARY KEY, name TEXT);
INSERT INTO memory_name SELECT value, name FROM code WHERE kind = 'memory';

-- Training steps that the host has finished.
CREATE TEMP TABLE step AS SELECT DISTINCT step FROM host_event WHERE action = 'weights_updated';
-- Commands with their times; loading of programs (step 0) is not work.
CREATE TEMP TABLE work AS SELECT * FROM commands WHERE step > 0;
CREATE INDEX temp.work_key ON work(device, sequence);
CREATE INDEX temp.work_step ON work(step, phase, layer);
CREATE TEMP TABLE trained AS
  SELECT * FROM work
    WHERE step IN (SELECT step FROM step)
        AND phase IN ('forward', 'loss_gradient', 'recompute', 'backward');
CREATE INDEX temp.trained_key ON trained(device, sequence);
CREATE INDEX temp.trained_step ON trained(step, phase, layer);

-- Operand tables, readable.
CREATE TEMP TABLE use AS
  SELECT o.device, o.sequence, o.slot, m.name AS memory, o.base, o.bytes, o.tag, o.version,
      o.access & 1 AS reads, (o.access >> 1) & 1 AS writes, (o.access >> 2) & 1 AS releases,
      r.name AS tensor, r.role, r.layer, r.evaluation FROM operand o
    JOIN memory_name m ON m.memory = o.memory
    LEFT JOIN role r ON r.tag = o.tag;
CREATE INDEX temp.use_key ON use(device, sequence);
CREATE INDEX temp.use_tag ON use(tag, version);

-- Tile level, readable. `working`: within the command's own working buffers.
CREATE TEMP TABLE tile AS
  SELECT a.rowid AS id, a.device, a.sequence, a.engine, a.pc, a.step, a.begun, a.ended, a.write,
      o.name AS opcode, m.name AS memory, a.base, a.size0, a.size1, a.size2, a.size3, a.stride1, a.tag,
      a.version, r.name AS tensor, r.role, r.layer, r.evaluation, m.name = 'psum' OR EXISTS (SELECT 1
      FROM use u WHERE u.device = a.device AND u.sequence = a.sequence AND u.tag = 0 AND u.memory = m.name
      AND a.base BETWEEN u.base AND u.base + u.bytes - 1) AS working FROM access a
    JOIN memory_name m ON m.memory = a.memory
    JOIN code o ON o.kind = 'opcode' AND o.value = a.opcode
    LEFT JOIN role r ON r.tag = a.tag;
CREATE INDEX temp.tile_key ON tile(device, sequence, engine, pc);
CREATE TEMP TABLE tile_step AS SELECT DISTINCT step FROM access WHERE step IN (SELECT step FROM step);

-- Lives of hidden outputs (0 < k < L): from the first byte written to the last one lost, per memory and
-- version.
CREATE TEMP TABLE life AS
  SELECT l.device, l.memory, l.layer, l.tag, l.version, l.born, lost.cycle AS died,
      lost.sequence AS ended_by
    FROM (SELECT t.device, t.memory, t.tag, t.version, r.layer, t.cycle AS born, (SELECT min(x.rowid)
        FROM tensor_life x WHERE x.device = t.device AND x.tag = t.tag AND x.version = t.version
        AND x.memory = t.memory AND x.moment IN ('overwritten', 'released') AND x.rowid > t.rowid) AS loss
        FROM tensor_life t JOIN role r ON r.tag = t.tag, expected e
        WHERE t.moment = 'live' AND r.role = 'IO' AND NOT r.evaluation AND r.layer > 0
        AND r.layer < e.layers) l
    LEFT JOIN tensor_life lost ON lost.rowid = l.loss;
CREATE INDEX temp.life_key ON life(tag, version);

-- What F and F' left behind where their output lives.
CREATE TEMP TABLE output AS
  SELECT w.device, w.sequence, w.phase, w.step, w.layer, w.begun, w.ended, u.tag, u.version, u.memory,
      u.base, t.memory AS memory_number, t.bytes, t.checksum FROM trained w
    CROSS JOIN use u ON u.device = w.device AND u.sequence = w.sequence AND u.writes AND u.role = 'IO'
        AND u.layer = w.layer
    JOIN memory_name m ON m.name = u.memory
    CROSS JOIN tensor_life t ON t.device = u.device AND t.tag = u.tag AND t.version = u.version
        AND t.sequence = w.sequence AND t.moment = 'complete' AND t.memory = m.memory
    WHERE w.phase IN ('forward', 'recompute');
CREATE INDEX temp.output_key ON output(step, layer);

-- In-place layers, tile by tile: blocks of batch rows as they leave the activations' buffer (read) and come
-- back to it (write).
CREATE TEMP TABLE in_place AS
  SELECT w.device, w.sequence, w.step, w.layer, i.base, i.bytes, i.tag AS tag_in, o.tag AS tag_out,
      o.base AS base_out, o.bytes AS bytes_out, (SELECT max(bytes) FROM tensor_life t
      WHERE t.device = w.device AND t.tag = i.tag AND t.moment = 'complete') / e.batch AS row_in,
      (SELECT max(bytes) FROM tensor_life t
      WHERE t.device = w.device AND t.tag = o.tag AND t.moment = 'complete') / e.batch AS row_out,
      (SELECT max(stride1) FROM tile t WHERE t.device = w.device AND t.sequence = w.sequence
      AND t.tag IN (i.tag, o.tag) AND t.opcode = 'copy' AND NOT t.working) AS pitch
    FROM expected e, trained w
    JOIN use i ON i.device = w.device AND i.sequence = w.sequence AND i.reads AND i.role = 'IO'
    JOIN use o ON o.device = w.device AND o.sequence = w.sequence AND o.writes AND o.role = 'IO'
    WHERE w.phase IN ('forward', 'recompute') AND w.layer >= 2 AND w.step IN (SELECT step FROM tile_step);
CREATE INDEX temp.in_place_key ON in_place(device, sequence);
CREATE TEMP TABLE block AS
  SELECT p.device, p.sequence, t.write, t.engine, t.pc, t.begun, t.ended, t.size0, t.size1,
      (t.base - CASE WHEN t.write THEN p.base_out ELSE p.base END) / p.pitch AS first_row,
      (t.base - CASE WHEN t.write THEN p.base_out ELSE p.base END) % p.pitch AS column FROM in_place p
    JOIN tile t ON t.device = p.device AND t.sequence = p.sequence
    WHERE t.opcode = 'copy' AND NOT t.working AND t.memory = 'device_dram'
        AND ((t.write AND t.tag = p.tag_out AND t.base BETWEEN p.base_out AND p.base_out + p.bytes_out - 1)
        OR (NOT t.write AND t.tag = p.tag_in AND t.base BETWEEN p.base AND p.base + p.bytes - 1));
CREATE INDEX temp.block_key ON block(device, sequence, write);
-- Stores of in-place layers with their source in the state buffer, and since when that holds this block: the
-- end of the store before.
CREATE TEMP TABLE store AS
  SELECT w.device, w.sequence, w.first_row, w.begun, w.size0, w.size1, w.column, s.memory, s.tag, s.base,
      s.base + s.stride1 * (s.size1 - 1) + s.size0 AS behind, (SELECT coalesce(max(e.ended), 0) FROM tile e
      WHERE e.device = s.device AND e.sequence = s.sequence AND e.engine = s.engine AND e.opcode = 'copy'
      AND NOT e.write AND e.memory = s.memory AND e.base = s.base AND e.begun < s.begun) AS since
    FROM block w
    CROSS JOIN tile s ON s.device = w.device AND s.sequence = w.sequence AND s.engine = w.engine
        AND s.pc = w.pc
        AND NOT s.write
    WHERE w.write;
-- What the engines finished there.
CREATE TEMP TABLE finished AS
  SELECT device, sequence, memory, base, tag, size0 * size1 AS bytes, begun, ended FROM tile
    WHERE write AND opcode <> 'copy' AND memory <> 'psum';
CREATE INDEX temp.finished_key ON finished(device, sequence, base);
CREATE TEMP TABLE number(n INTEGER PRIMARY KEY);
INSERT INTO number
  WITH RECURSIVE count(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM count
      WHERE n + 1 < (SELECT batch FROM expected)) SELECT n FROM count;
-- The same by single rows: how many bytes of a row came and when the last of them (read), went and when the
-- first of them (write).
CREATE TEMP TABLE row_moved AS
  SELECT device, sequence, write, row, sum(size0) AS bytes, min(begun) AS first, max(ended) AS last
    FROM (SELECT b.device, b.sequence, b.write, b.first_row + n.n AS row, b.column, b.size0,
        min(b.begun) AS begun, max(b.ended) AS ended FROM block b JOIN number n ON n.n < b.size1
        GROUP BY 1, 2, 3, 4, 5, 6)
    GROUP BY 1, 2, 3, 4;
CREATE INDEX temp.row_moved_key ON row_moved(device, sequence, row, write);
ANALYZE temp;
)";
}

} // namespace retrace::proof
