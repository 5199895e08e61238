//! Introductions: said once both sides have proved that they belong, before the first frame.

use super::{Broken, Stage};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of an introduction, or of an answer to one.
pub(super) const INTRODUCTION_BYTES_MAX: usize = 4 * 1024;

const TAKEN: u8 = 0;
const REFUSED: u8 = 1;

/// What an acceptor says to an introduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// With what the dialer is welcomed (empty: nothing), or why it is refused.
    pub(super) verdict: Result<Vec<u8>, String>,
    /// Who says so.
    pub(super) introduction: Vec<u8>,
}

impl Answer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let (kind, said) = match &self.verdict {
            Ok(welcome) => (TAKEN, &welcome[..]),
            Err(why) => (REFUSED, why.as_bytes()),
        };
        // A reason is for people; what does not fit of it is lost.
        let said = &said[..said.len().min(INTRODUCTION_BYTES_MAX / 4)];
        let len = u16::try_from(said.len()).expect("cut above");
        [&[kind][..], &len.to_be_bytes(), said, &self.introduction].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Broken> {
        let cut = || Broken::Introduction("the answer is cut off".to_owned());
        let [kind, high, low, rest @ ..] = bytes else { return Err(cut()) };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (said, introduction) = rest.split_at_checked(len).ok_or_else(cut)?;
        let verdict = match *kind {
            TAKEN => Ok(said.to_vec()),
            REFUSED => Err(String::from_utf8_lossy(said).into_owned()),
            other => {
                return Err(Broken::Introduction(format!("an answer of unknown kind {other}")));
            }
        };
        Ok(Self { verdict, introduction: introduction.to_vec() })
    }
}

pub(super) async fn say<S: AsyncWrite + Unpin>(
    stream: &mut S,
    message: &[u8],
) -> Result<(), Broken> {
    let at = Broken::at(Stage::Introduction);
    let len =
        u16::try_from(message.len()).ok().filter(|len| usize::from(*len) <= INTRODUCTION_BYTES_MAX);
    let len = len.ok_or_else(|| Broken::Introduction("ours is too long".to_owned()))?;
    stream.write_all(&[&len.to_be_bytes()[..], message].concat()).await.map_err(&at)?;
    stream.flush().await.map_err(at)
}

pub(super) async fn hear<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, Broken> {
    let at = Broken::at(Stage::Introduction);
    let len = usize::from(stream.read_u16().await.map_err(&at)?);
    if len > INTRODUCTION_BYTES_MAX {
        return Err(Broken::Introduction(format!("{len} bytes are too many")));
    }
    let mut message = vec![0; len];
    stream.read_exact(&mut message).await.map_err(at)?;
    Ok(message)
}
