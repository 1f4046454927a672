//! A blocking thread and an async task converse over a pipe, then stream a file through another.
//!
//! The thread serves: asked for a file, it answers with its length, sends the bytes, and then
//! tells the checksum of what it has sent. The task asks, reads, and compares.

#[cfg(not(loom))]
fn main() -> std::io::Result<()> {
    use bifrons::pipe::{Connection, Writer, bytes, duplex};
    use std::io::{Read, Write};

    enum Question {
        Send(&'static str),
        Checksum,
        Goodbye,
    }

    #[derive(Debug, PartialEq)]
    enum Answer {
        Length(u64),
        Checksum(u64),
    }

    /// FNV-1a, a step.
    fn checksum(before: u64, bytes: &[u8]) -> u64 {
        bytes
            .iter()
            .fold(before, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    }

    /// Blocks, as threads do.
    fn serve(mut talk: Connection<Answer, Question>, mut pipe: Writer) -> std::io::Result<()> {
        let mut sum = 0;
        while let Ok(question) = talk.recv() {
            let answer = match question {
                Question::Send(path) => {
                    let mut file = std::fs::File::open(path)?;
                    talk.send(Answer::Length(file.metadata()?.len())).expect("the task listens");
                    let mut bytes = Vec::new();
                    file.read_to_end(&mut bytes)?;
                    sum = checksum(sum, &bytes);
                    pipe.write_all(&bytes)?; // 64 at a time: the task reads meanwhile
                    continue;
                }
                Question::Checksum => Answer::Checksum(sum),
                Question::Goodbye => break,
            };
            talk.send(answer).expect("the task listens");
        }
        Ok(()) // Both pipes end with their ends.
    }

    let (mut talk, other_end) = duplex(1);
    let (writer, mut reader) = bytes(64);
    let server = std::thread::spawn(move || serve(other_end, writer));
    futures::executor::block_on(async {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs");
        talk.send_async(Question::Send(path)).await.unwrap_or_else(|_| panic!("nobody serves"));
        let Ok(Answer::Length(length)) = talk.recv_async().await else { panic!("no length") };
        let (mut sum, mut received, mut piece) = (0, 0, [0; 77]);
        while received < length {
            let count = reader.read_async(&mut piece).await?;
            assert!(count > 0, "the file ends before its length");
            sum = checksum(sum, &piece[..count]);
            received += count as u64;
        }
        talk.send_async(Question::Checksum).await.unwrap_or_else(|_| panic!("nobody serves"));
        assert_eq!(talk.recv_async().await, Ok(Answer::Checksum(sum)));
        println!("{length} bytes came through 64, checksum {sum:016x} on both sides");
        talk.send_async(Question::Goodbye).await.unwrap_or_else(|_| panic!("nobody serves"));
        assert_eq!(reader.read_async(&mut piece).await?, 0, "the end of the file");
        std::io::Result::Ok(())
    })?;
    server.join().expect("the server does not panic")
}

#[cfg(loom)]
fn main() {}
