import { isIP } from "node:net";
import { invalidField } from "../kernel/errors.ts";
import { createIsPublicAddress } from "./public-address.ts";

/** The host of a URL as a resolver knows it: an IPv6 address without its brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

/**
 * The URL in its normal form. Throws INVALID_FIELD unless requests may go there: by https, to what
 * isn't named by a private address. What a name stands for is looked at when it's connected to.
 */
export function checkWebhookUrl(text: string, { allowPrivate }: { allowPrivate: boolean }): string {
  const url = URL.parse(text);
  const schemes = allowPrivate ? ["https:", "http:"] : ["https:"];
  if (!url || !schemes.includes(url.protocol)) {
    throw invalidField("url", "must be a URL that begins with https://");
  }
  if (url.username !== "" || url.password !== "" || url.hash !== "") {
    throw invalidField("url", "must have neither user, password nor fragment");
  }
  const host = hostOf(url);
  if (!allowPrivate && isIP(host) !== 0 && !createIsPublicAddress()(host)) {
    throw invalidField("url", "must not be a private address");
  }
  return url.href;
}
