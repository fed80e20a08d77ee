//! Long texts, shortly written: `<<3 * ab>>` is `ababab`, and `<<2 * x{#} >>` is `x0 x1 `. Cases that
//! need megabytes of something are readable that way. What is within is written out first.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};

/// No case needs more; a slip of a digit should not take the machine along.
const MOST_BYTES: usize = 200 << 20;

/// Writes every recipe in the text out.
pub fn expand(text: &str) -> Result<String> {
    let mut text = text.to_owned();
    while let Some(end) = text.find(">>") {
        let begin = text[..end].rfind("<<").context("a recipe ends with >> and has no <<")?;
        let (count, what) = text[begin + 2..end].split_once(" * ").context("a recipe is <<COUNT * TEXT>>")?;
        let count: usize = count.trim().replace('_', "").parse().context("a recipe's count is a number")?;
        if count.saturating_mul(what.len()) > MOST_BYTES {
            bail!("a recipe makes {count} times {} bytes; at most {MOST_BYTES} in all", what.len());
        }
        let written = repeated(count, what);
        text.replace_range(begin..end + 2, &written);
    }
    if text.contains("<<") {
        bail!("a recipe begins with << and has no >>");
    }
    Ok(text)
}

fn repeated(count: usize, what: &str) -> String {
    let parts: Vec<&str> = what.split("{#}").collect();
    if parts.len() == 1 {
        return what.repeat(count);
    }
    let mut written = String::new();
    for number in 0..count {
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                let _ = write!(written, "{number}");
            }
            written.push_str(part);
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn recipes_are_written_out() {
        let expanded = |text| expand(text).expect("it expands");
        assert_eq!(expanded("a<<3 * bc>>d"), "abcbcbcd");
        assert_eq!(expanded("<<2 * x{#} >><<1_0 * ->>"), "x0 x1 ----------");
        assert_eq!(expanded("<<2 * [<<2 * a>>]>>"), "[aa][aa]");
        assert_eq!(expanded("plain {}"), "plain {}");
        for wrong in ["<<3 * a", "3 * a>>", "<<x * a>>", "<<3>>", "<<999999999 * long enough>>"] {
            assert!(expand(wrong).is_err(), "{wrong}");
        }
    }
}
