//! Server-sent events, read within bounds.

/// Bytes of one event. A token takes some hundred; a line without end must not fill the memory.
const MOST: usize = 1 << 20;

/// Takes bytes in as they come, gives the events' data out.
#[derive(Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    any: bool,
    /// A line ended with a carriage return; a line feed that follows belongs to it.
    returned: bool,
}

impl Events {
    /// The data of the events that are whole now. Fails for a line or an event that is too long.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, ()> {
        let mut out = Vec::new();
        for &byte in bytes {
            let after_return = std::mem::take(&mut self.returned);
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    self.returned = byte == b'\r';
                    self.end_line(&mut out);
                }
                _ if self.line.len() + self.data.len() >= MOST => return Err(()),
                _ => self.line.push(byte),
            }
        }
        Ok(out)
    }

    fn end_line(&mut self, out: &mut Vec<String>) {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line);
        if line.is_empty() {
            if std::mem::take(&mut self.any) {
                out.push(String::from_utf8_lossy(&std::mem::take(&mut self.data)).into_owned());
            }
            return;
        }
        // Comments keep a connection alive, and the other fields say nothing that is needed.
        if let Some(data) = line.strip_prefix(b"data:") {
            if self.any {
                self.data.push(b'\n');
            }
            self.any = true;
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(chunks: &[&[u8]]) -> Vec<String> {
        let mut events = Events::default();
        chunks.iter().flat_map(|c| events.push(c).unwrap()).collect()
    }

    #[test]
    fn events_are_read_with_any_line_ending_comments_and_several_data_lines() {
        assert_eq!(read(&[b"\xef\xbb\xbf: ping\n\ndata: a\n\n"]), ["a"]);
        assert_eq!(read(&[b"event: x\r\ndata: a\r\ndata:b\r\n\r\n", b"data: c\r\r"]), ["a\nb", "c"]);
        // What is not ended by an empty line never came.
        assert_eq!(read(&[b"data: a\n"]), [""; 0]);
    }

    #[test]
    fn a_character_that_comes_in_two_pieces_is_whole() {
        let text = "data: é\n\n".as_bytes();
        assert_eq!(read(&[&text[..7], &text[7..]]), ["é"]);
    }

    #[test]
    fn a_line_without_end_is_given_up_and_so_is_an_event_of_many_lines() {
        let mut events = Events::default();
        assert!(events.push(&vec![b'x'; MOST + 1]).is_err());
        let mut events = Events::default();
        let line = [b"data: ".as_slice(), &vec![b'x'; 60_000], b"\n"].concat();
        assert!((0..20).any(|_| events.push(&line).is_err()));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same_events(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0usize..400) {
            let at = at.min(bytes.len());
            prop_assert_eq!(read(&[&bytes]), read(&[&bytes[..at], &bytes[at..]]));
        }
    }
}
