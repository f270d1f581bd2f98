//! Where an error stands: the component reads a part of a record by itself, and a person looks at the whole.

/// An error about `part`, with the line and column that it ends with moved to where the part stands in `whole`. A whole
/// of one line needs no line.
pub(super) fn moved(error: &str, part: &str, whole: &str) -> String {
    let (Some((what, line, column)), Some((before, _))) = (placed(error), whole.split_once(part)) else {
        return error.to_owned();
    };
    let lines_before = before.matches('\n').count();
    let bytes_before = before.len().saturating_sub(before.rfind('\n').map_or(0, |end| end.saturating_add(1)));
    let column = if line == 1 { column.saturating_add(bytes_before) } else { column };
    if whole.trim_end().contains('\n') {
        format!("{what} at line {} column {column}", line.saturating_add(lines_before))
    } else {
        format!("{what} at column {column}")
    }
}

/// What an error says, and the line and column behind it.
fn placed(error: &str) -> Option<(&str, usize, usize)> {
    let (what, place) = error.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    Some((what, line.parse().ok()?, column.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_part_becomes_one_in_the_whole() {
        let part = "{\"action\":1}";
        let error = "wrong at line 1 column 11";
        assert_eq!(moved(error, part, &format!("{{\"request\":{part}}}")), "wrong at column 22");
        assert_eq!(moved(error, part, &format!("{{\n \"request\":{part}}}\n")), "wrong at line 2 column 22");
    }

    #[test]
    fn a_part_of_several_lines_keeps_its_columns() {
        let part = "{\n \"action\":1}";
        let whole = format!("{{\"id\":\"a\",\n \"request\":{part}}}");
        assert_eq!(moved("wrong at line 2 column 11", part, &whole), "wrong at line 3 column 11");
    }

    #[test]
    fn an_error_without_a_place_stays() {
        assert_eq!(moved("wrong", "{}", "{}"), "wrong");
        assert_eq!(moved("at line x column 1", "{}", "{}"), "at line x column 1");
    }
}
