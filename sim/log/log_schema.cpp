#include "sim/log/log_schema.h"

namespace retrace {

namespace {

constexpr const char* schema = R"(
CREATE TABLE tensor(tag INTEGER PRIMARY KEY, name TEXT);            -- names of tensor tags: IO_3, W_3, dW_3, G_3 ...
CREATE TABLE code(kind TEXT, value INTEGER, name TEXT);             -- names of the numbers in columns memory, phase, opcode, status, engine, fault, resource, requester
CREATE TABLE command(                                               -- one row per command as the device ran it
  device INTEGER, sequence INTEGER, context INTEGER, phase INTEGER, step INTEGER, layer INTEGER,
  begun INTEGER, operands INTEGER, PRIMARY KEY(device, sequence)) WITHOUT ROWID;
CREATE TABLE command_moment(                                        -- submitted and seen: the host; ended: the device
  device INTEGER, sequence INTEGER, moment TEXT, cycle INTEGER, status INTEGER);
CREATE TABLE command_wait(device INTEGER, sequence INTEGER, waits_for INTEGER);   -- wait set of a command
CREATE TABLE operand(                                               -- operand table of a command; access: 1 read, 2 write, 4 release at its end
  device INTEGER, sequence INTEGER, slot INTEGER, memory INTEGER, base INTEGER, bytes INTEGER,
  tag INTEGER, version INTEGER, access INTEGER);
CREATE TABLE access(                                                -- tile level: one memory operand of one instruction
  begun INTEGER, ended INTEGER, device INTEGER, context INTEGER, engine INTEGER, sequence INTEGER, step INTEGER, pc INTEGER,
  opcode INTEGER, write INTEGER, memory INTEGER, base INTEGER,
  size0 INTEGER, size1 INTEGER, size2 INTEGER, size3 INTEGER, stride1 INTEGER, stride2 INTEGER, stride3 INTEGER,
  tag INTEGER, version INTEGER);
CREATE TABLE tensor_life(                                           -- live, complete, overwritten, released: per tensor version and memory
  cycle INTEGER, device INTEGER, moment TEXT, memory INTEGER, tag INTEGER, version INTEGER, sequence INTEGER,
  bytes INTEGER, checksum INTEGER);
CREATE TABLE stale_read(                                            -- reads of bytes that are not live or not the expected tensor's
  cycle INTEGER, device INTEGER, engine INTEGER, sequence INTEGER, pc INTEGER, memory INTEGER, address INTEGER, bytes INTEGER,
  expected_tag INTEGER, expected_version INTEGER, found_tag INTEGER, found_version INTEGER);
CREATE TABLE occupancy(                                             -- live bytes at the end of each command
  cycle INTEGER, device INTEGER, name TEXT, sequence INTEGER, live INTEGER, peak INTEGER);
CREATE TABLE host_event(                                            -- weights_written, gradient_received, weights_updated
  cycle INTEGER, action TEXT, step INTEGER, layer INTEGER, tag INTEGER, version INTEGER, checksum INTEGER);
CREATE TABLE logged_step(step INTEGER PRIMARY KEY);                 -- training steps at tile level: access, program, instruction, grant_, mover
CREATE TABLE machine(key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID; -- the processor's numbers that reading the log takes (retrace help config)
CREATE TABLE program(                                               -- tile level: an engine ran a program; ended: null if it did not come to that
  device INTEGER, context INTEGER, engine INTEGER, sequence INTEGER, step INTEGER, begun INTEGER, ended INTEGER, fault INTEGER,
  address INTEGER, count INTEGER, code INTEGER);                    -- code: in program_code; null: not read
CREATE TABLE program_code(                                          -- instructions of every different program; bytes: the 64 as fetched (hw/registers.md)
  code INTEGER, pc INTEGER, opcode INTEGER, flags INTEGER, wait0 INTEGER, wait0_count INTEGER, wait1 INTEGER, wait1_count INTEGER,
  signal0 INTEGER, signal0_count INTEGER, signal1 INTEGER, signal1_count INTEGER, bytes BLOB, PRIMARY KEY(code, pc)) WITHOUT ROWID;
CREATE TABLE instruction(                                           -- tile level: taken by the sequencer, begun (its waits are over), ended (its signals given)
  taken INTEGER, begun INTEGER, requested INTEGER, started INTEGER, ended INTEGER,  -- banks were requested; its bursts on them begin; null: it has none
  device INTEGER, engine INTEGER, sequence INTEGER, pc INTEGER, opcode INTEGER);
CREATE TABLE grant_(                                                -- tile level: a request and its grant (banks: see instruction); resumed: the requester goes on
  requested INTEGER, granted INTEGER, resumed INTEGER, arrived INTEGER, device INTEGER, requester INTEGER, chunk INTEGER,
  resource INTEGER, write INTEGER, address INTEGER, bytes INTEGER, sequence INTEGER, pc INTEGER); -- requester: hw/README.md 9.2; sequence 0: no command's
CREATE TABLE mover(                                                 -- tile level: copies of the control core's mover, by the cycle of their start
  cycle INTEGER, device INTEGER, host_address INTEGER, local_address INTEGER, bytes INTEGER, to_host INTEGER);

CREATE VIEW commands AS                                             -- a command with its times and names, for people
  SELECT c.device, c.sequence, p.name AS phase, c.step, c.layer, c.begun,
         (SELECT cycle FROM command_moment m WHERE m.device = c.device AND m.sequence = c.sequence AND moment = 'submitted') AS submitted,
         (SELECT cycle FROM command_moment m WHERE m.device = c.device AND m.sequence = c.sequence AND moment = 'ended') AS ended,
         (SELECT cycle FROM command_moment m WHERE m.device = c.device AND m.sequence = c.sequence AND moment = 'seen') AS seen,
         (SELECT s.name FROM command_moment m JOIN code s ON s.kind = 'status' AND s.value = m.status
           WHERE m.device = c.device AND m.sequence = c.sequence AND moment = 'ended') AS status
  FROM command c JOIN code p ON p.kind = 'phase' AND p.value = c.phase;
CREATE VIEW accesses AS                                             -- tile level with names
  SELECT a.begun, a.ended, a.engine, a.sequence, a.step, a.pc, o.name AS opcode, a.write, m.name AS memory, a.base,
         a.size0, a.size1, a.stride1, t.name AS tensor, a.version
  FROM access a JOIN code o ON o.kind = 'opcode' AND o.value = a.opcode JOIN code m ON m.kind = 'memory' AND m.value = a.memory
  LEFT JOIN tensor t ON t.tag = a.tag;
CREATE VIEW instructions AS                                         -- with names; waited: for semaphores, beyond the cycles that issuing takes
  SELECT e.name AS engine, i.sequence, c.step, c.layer, p.name AS phase, i.pc, o.name AS opcode, i.taken, i.begun, i.started, i.ended,
         i.begun - i.taken - (SELECT value FROM machine WHERE key = 'sequencer.issue_cycles') AS waited, i.started - i.requested AS bank_wait
  FROM instruction i JOIN command c ON c.device = i.device AND c.sequence = i.sequence
  JOIN code e ON e.kind = 'engine' AND e.value = i.engine JOIN code o ON o.kind = 'opcode' AND o.value = i.opcode
  JOIN code p ON p.kind = 'phase' AND p.value = c.phase;
CREATE VIEW programs AS                                             -- with names
  SELECT e.name AS engine, r.sequence, r.step, p.name AS phase, c.layer, r.begun, r.ended, f.name AS fault, r.count AS instructions, r.address, r.code
  FROM program r JOIN command c ON c.device = r.device AND c.sequence = r.sequence JOIN code e ON e.kind = 'engine' AND e.value = r.engine
  JOIN code p ON p.kind = 'phase' AND p.value = c.phase LEFT JOIN code f ON f.kind = 'fault' AND f.value = r.fault;
CREATE VIEW grants AS                                               -- with names; waited: for the grant and for what it reserves
  SELECT r.name AS resource, coalesce(w.name, g.requester) AS requester, g.sequence, g.pc, g.chunk, g.requested, g.granted, g.resumed,
         g.resumed - g.requested AS waited, g.write, g.address, g.bytes
  FROM grant_ g JOIN code r ON r.kind = 'resource' AND r.value = g.resource LEFT JOIN code w ON w.kind = 'requester' AND w.value = g.requester;
)";

constexpr const char* indices = R"(
CREATE INDEX IF NOT EXISTS command_moment_key ON command_moment(device, sequence, moment);
CREATE INDEX IF NOT EXISTS command_wait_key ON command_wait(device, sequence);
CREATE INDEX IF NOT EXISTS operand_key ON operand(device, sequence);
CREATE INDEX IF NOT EXISTS access_key ON access(device, sequence);
CREATE INDEX IF NOT EXISTS grant_key ON grant_(device, sequence);
CREATE INDEX IF NOT EXISTS program_key ON program(device, sequence);
CREATE INDEX IF NOT EXISTS tensor_life_key ON tensor_life(device, tag, version);
)";

} // namespace

const char* log_schema() { return schema; }
const char* log_indices() { return indices; }

} // namespace retrace
