import { readFileSync, readdirSync } from "node:fs";

/** The processes whose CPU time is counted. */
export interface MeteredProcesses {
  readonly load: number;
  readonly services: readonly number[];
  /** PostgreSQL's first process; its children are counted with it, those that ended too. */
  readonly postmaster: number;
}

/** CPU time by part, in seconds. */
export interface CpuUse {
  readonly load: number;
  readonly service: number;
  readonly postgres: number;
  /** What everybody else on the machine used. */
  readonly others: number;
}

/** Of `times` in /proc: USER_HZ, which is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Starts to count; the returned function tells the CPU time since then. */
export function startCpuMeter(processes: MeteredProcesses): () => CpuUse {
  const before = read(processes);
  return () => {
    const after = read(processes);
    const load = after.load - before.load;
    const service = after.service - before.service;
    const postgres = after.postgres - before.postgres;
    const others = after.machine - before.machine - load - service - postgres;
    return { load, service, postgres, others };
  };
}

function read({ load, services, postmaster }: MeteredProcesses) {
  return {
    load: processTimes(load).own,
    service: services.reduce((sum, pid) => sum + processTimes(pid).own, 0),
    postgres: treeTime(postmaster),
    machine: machineTime(),
  };
}

/** Seconds of a process and all its children, also of those that have ended. */
function treeTime(root: number): number {
  const { own, endedChildren } = processTimes(root);
  let sum = own + endedChildren;
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const child = processTimes(Number(name));
    if (child.parent === root) sum += child.own;
  }
  return sum;
}

function processTimes(pid: number): { own: number; endedChildren: number; parent: number } {
  const text = readOr(`/proc/${pid}/stat`);
  // The name of the program, in parentheses, may have spaces. After it: state, parent, ...
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const seconds = (i: number) => Number(fields[i] ?? 0) / TICKS_PER_SECOND;
  return {
    own: seconds(11) + seconds(12),
    endedChildren: seconds(13) + seconds(14),
    parent: Number(fields[1]),
  };
}

/** Seconds in which any core was busy: all but idle and waiting for the disk. */
function machineTime(): number {
  const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .split(/ +/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
