import { connect } from "node:net";

/** What came back over a raw connection. */
export interface RawAnswer {
  /** The status code of the first answer; 0 if there was none. */
  readonly status: number;
  readonly text: string;
  readonly ms: number;
}

/**
 * Sends the parts as they are, waiting `pauseMs` before each but the first, and reads until the
 * server closes the connection or the first answer is complete by its length.
 */
export function sendRaw(
  port: number,
  parts: readonly (string | Buffer)[],
  options: { readonly pauseMs?: number; readonly timeoutMs?: number } = {},
): Promise<RawAnswer> {
  const { pauseMs = 0, timeoutMs = 15_000 } = options;
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    let text = "";
    let next = 0;
    const socket = connect(port, "127.0.0.1");
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no complete answer in ${timeoutMs} ms, only ${JSON.stringify(text)}`));
    }, timeoutMs);
    const end = (): void => {
      clearTimeout(timer);
      clearTimeout(sender);
      socket.destroy();
      const status = Number(/^HTTP\/1\.[01] (\d+)/.exec(text)?.[1] ?? 0);
      resolve({ status, text, ms: performance.now() - startMs });
    };
    let sender: NodeJS.Timeout | undefined;
    const sendNext = (): void => {
      if (next >= parts.length) return;
      socket.write(parts[next++]!);
      sender = setTimeout(sendNext, pauseMs);
    };
    socket.on("connect", sendNext);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (isComplete(text)) end();
    });
    socket.on("error", end);
    socket.on("close", end);
  });
}

function isComplete(text: string): boolean {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  if (/^transfer-encoding: chunked/im.test(head)) return text.endsWith("0\r\n\r\n");
  const length = /^content-length: (\d+)/im.exec(head)?.[1];
  return length !== undefined && rest.join("\r\n\r\n").length >= Number(length);
}
