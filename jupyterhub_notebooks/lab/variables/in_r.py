"""The same for R kernels (IRkernel), as R text: ``saveRDS`` of each variable, the same manifest.

Expects ``given``, a list with folder, seconds and size_bytes, or folder and names.
"""

KEEP = r"""local({
  log <- file(file.path(given$folder, "manifest.jsonl"), "a", encoding = "UTF-8")
  on.exit(close(log))
  text <- function(x) encodeString(as.character(x), quote = '"')
  say <- function(...) { cat("{", paste(..., sep = ""), "}\n", file = log, sep = ""); flush(log) }
  deadline <- proc.time()[["elapsed"]] + given$seconds
  room <- function() {
    found <- list.files(dirname(given$folder), recursive = TRUE, full.names = TRUE)
    given$size_bytes - sum(file.size(found), na.rm = TRUE)
  }
  names <- ls(globalenv())
  sizes <- vapply(names, function(n) as.numeric(object.size(get(n, envir = globalenv()))), 0)
  names <- names[order(sizes)]
  say('"names": [', paste(text(names), collapse = ", "), "]")
  number <- 0
  for (name in names) {
    if (proc.time()[["elapsed"]] > deadline) break
    say('"begin": ', text(name))
    value <- get(name, envir = globalenv())
    kind <- class(value)[1]
    lost <- function(why) say('"lost": ', text(name), ', "kind": ', text(kind), ', "why": ', text(why))
    if (inherits(value, "connection")) { lost("an open file or connection; open it again"); next }
    if (typeof(value) == "externalptr") { lost("it lives outside of R and cannot be stored"); next }
    size <- as.numeric(object.size(value))
    if (size > room()) {
      lost(sprintf("%.3g MB, more than is left of the %.3g MB that are kept", size / 1e6, given$size_bytes / 1e6))
      next
    }
    number <- number + 1
    stored <- sprintf("%05d.rds", number)
    path <- file.path(given$folder, stored)
    why <- tryCatch({ saveRDS(value, path, compress = FALSE); "" }, error = function(e) conditionMessage(e))
    if (nzchar(why)) { unlink(path); lost(paste("it cannot be stored:", why)); next }
    say('"kept": ', text(name), ', "kind": ', text(kind), ', "file": ', text(stored), ', "size": ',
        format(file.size(path), scientific = FALSE), ', "with": "R"')
  }
  say('"done": true')
})"""

#: entries: (name, file) pairs that ``offers.py`` has chosen, written in as ``given$entries``.
BRING = r"""local({
  out <- file(file.path(given$folder, "brought.json"), "w", encoding = "UTF-8")
  on.exit(close(out))
  text <- function(x) encodeString(as.character(x), quote = '"')
  back <- character(); lost <- character()
  for (one in given$entries) {
    if (length(given$names) == 0 && exists(one$name, envir = globalenv(), inherits = FALSE)) {
      lost <- c(lost, paste0("[", text(one$name), ', "it is set here already and was left as it is"]'))
      next
    }
    why <- tryCatch({ assign(one$name, readRDS(file.path(given$folder, one$file)), envir = globalenv()); "" },
                    error = function(e) conditionMessage(e))
    if (nzchar(why)) lost <- c(lost, paste0("[", text(one$name), ", ", text(paste("it cannot be read:", why)), "]"))
    else back <- c(back, text(one$name))
  }
  cat('{"back": [', paste(back, collapse = ", "), '], "lost": [', paste(lost, collapse = ", "), "]}", file = out, sep = "")
})"""


def r_text(value: str) -> str:
    """A text as R writes it."""
    made = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{made}"'


def keep_code(folder: str, seconds: float, size_bytes: int) -> str:
    given = f"folder = {r_text(folder)}, seconds = {seconds}, size_bytes = {float(size_bytes)}"
    return f"local({{ given <- list({given}); eval(quote({KEEP})) }})"


def bring_code(folder: str, entries: list[tuple[str, str]], names: list[str]) -> str:
    listed = ", ".join(f"list(name = {r_text(name)}, file = {r_text(file)})" for name, file in entries)
    chosen = ", ".join(r_text(name) for name in names)
    given = f"folder = {r_text(folder)}, entries = list({listed}), names = c({chosen})"
    return f"local({{ given <- list({given}); eval(quote({BRING})) }})"
