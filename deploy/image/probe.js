// For health checks of a container: `node probe.js livez` or `readyz` ends with 0 if the service
// says yes, else with 1 and what it said. JavaScript and of its own, so that it takes no time to load.
const page = process.argv[2] ?? "readyz";
const port = process.env.ADMIN_PORT ?? "9090";
const host = process.env.HOST === "0.0.0.0" ? "127.0.0.1" : (process.env.HOST ?? "127.0.0.1");

try {
  const answer = await fetch(`http://${host}:${port}/${page}`, {
    signal: AbortSignal.timeout(2_500),
  });
  if (!answer.ok) throw new Error(await answer.text());
} catch (error) {
  const { message, cause } = error;
  process.stderr.write(`${page}: ${cause?.message ?? message}\n`);
  process.exitCode = 1;
}
