// Before any TypeScript is loaded, which an older Node can't.
const NEEDED = 24;

if (Number.parseInt(process.versions.node, 10) < NEEDED) {
  process.stderr.write(
    `instant-payment: Node ${NEEDED} or newer is needed, this is ${process.versions.node}\n`,
  );
  process.exit(78);
}
