import { BlockList, isIPv4, isIPv6 } from "node:net";

/**
 * What isn't a host of the public internet, by IANA's special-purpose registries (RFC 6890): this
 * machine, private and shared networks, link-local ones with the clouds' metadata services,
 * multicast, documentation, and IPv6 forms that lead to an IPv4 address.
 */
const SPECIAL_IPV4 = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const;

/** Global unicast is 2000::/3; of it, these aren't a host's own address. */
const SPECIAL_IPV6 = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const;

/** Tells whether an address, as a resolver gives it, is a host of the public internet. */
export function createIsPublicAddress(): (address: string) => boolean {
  const special = new BlockList();
  const global = new BlockList();
  for (const [net, prefix] of SPECIAL_IPV4) special.addSubnet(net, prefix, "ipv4");
  for (const [net, prefix] of SPECIAL_IPV6) special.addSubnet(net, prefix, "ipv6");
  global.addSubnet("2000::", 3, "ipv6");
  return (address) => {
    const [plain = ""] = address.split("%");
    if (isIPv4(plain)) return !special.check(plain, "ipv4");
    return isIPv6(plain) && global.check(plain, "ipv6") && !special.check(plain, "ipv6");
  };
}
