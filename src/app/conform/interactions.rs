//! Recordings that list interactions: a YAML file with `server_version`, and for each interaction the client's `raw` text
//! and the gateway's. Only the raw texts count; what else stands there explains them. Reads the few forms of YAML that
//! such files use, no more.

use anyhow::{Context, bail};

use super::recording::{Step, frame_steps, version};

/// The steps of a file of interactions.
pub(super) fn parse(text: &str) -> anyhow::Result<(Vec<Step>, bool)> {
    let mut steps = Vec::new();
    let mut at = None;
    let mut side = "";
    for (number, line) in text.lines().enumerate() {
        let place = || format!("line {}", number + 1);
        let line = line.trim_start().trim_start_matches("- ").trim_end();
        if let Some(n) = line.strip_prefix("server_version:") {
            let n: i64 = n.trim().parse().context("the server version is no number").with_context(place)?;
            let negotiated = version(n).with_context(place)?;
            at = Some(negotiated);
            steps.push(Step::Connect { version: negotiated, time: None });
        } else if line.starts_with("request:") {
            side = "client";
        } else if line.starts_with("responses:") {
            side = "server";
        } else if let Some(quoted) = line.strip_prefix("raw:") {
            let version = at.context("a message before the server version").with_context(place)?;
            let body = unquote(quoted.trim()).with_context(place)?;
            steps.extend(frame_steps(version, side, &body).with_context(place)?);
        }
    }
    if at.is_none() {
        bail!("it names no server version");
    }
    Ok((steps, false))
}

/// A double-quoted scalar's bytes.
fn unquote(text: &str) -> anyhow::Result<Vec<u8>> {
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).context("a raw text is not in quotes")?;
    let mut out = Vec::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend(c.to_string().as_bytes());
            continue;
        }
        match chars.next().context("a raw text ends in an escape")? {
            '0' => out.push(0),
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            'x' => {
                let hex: String = chars.by_ref().take(2).collect();
                out.push(u8::from_str_radix(&hex, 16).context("a broken escape")?);
            }
            c @ ('"' | '\\' | '/') => out.extend(c.to_string().as_bytes()),
            other => bail!("the escape \\{other} is not known"),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_texts_are_unescaped() {
        assert_eq!(unquote(r#""49\01\0""#).ok(), Some(b"49\x001\0".to_vec()));
        assert_eq!(unquote(r#""a\"b\\\x41""#).ok(), Some(b"a\"b\\A".to_vec()));
        assert!(unquote("bare").is_err());
    }
}
