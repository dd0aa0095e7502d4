/** How many letters have to be put in, left out or changed to make one name of the other. */
export function typosBetween(one: string, other: string): number {
  let above = Array.from({ length: other.length + 1 }, (_, n) => n);
  for (let row = 0; row < one.length; row++) {
    const line = [row + 1];
    for (let n = 1; n <= other.length; n++) {
      const changed = above[n - 1]! + (one[row] === other[n - 1] ? 0 : 1);
      line.push(Math.min(changed, above[n]! + 1, line[n - 1]! + 1));
    }
    above = line;
  }
  return above[other.length]!;
}
