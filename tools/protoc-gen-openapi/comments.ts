import type { AnyDesc, DescFile, DescMethod } from "@bufbuild/protobuf";
import { getComments } from "@bufbuild/protoplugin";

/** A text with the fields that it names as JSON has them: `amount_minor` is `amountMinor`. */
export function withJsonNames(text: string): string {
  return text.replaceAll(/`[a-z]+(?:_[a-z0-9]+)+`/g, (name) =>
    name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
  );
}

/**
 * The comment above a declaration as Markdown: fields by their JSON names, and one line a
 * paragraph, since some viewers show every line break. Empty if there is none.
 */
export function commentOf(desc: Exclude<AnyDesc, DescFile>): string {
  return withJsonNames(getComments(desc).leading ?? "")
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.trim().replaceAll(/\s*\n\s*/g, " "))
    .filter((paragraph) => paragraph !== "")
    .join("\n\n");
}

/** The first sentence of a method's comment as plain text, without its full stop. */
export function summaryOf(desc: DescMethod): string {
  const [paragraph = ""] = commentOf(desc).split("\n\n");
  return (/^(.+?)\.(?:\s|$)/.exec(paragraph)?.[1] ?? paragraph).replaceAll("`", "");
}
