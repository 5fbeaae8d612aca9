//! Errors of wgpu as errors of this crate.

use crate::error::{Error, ErrorKind};

/// An error of wgpu as an error of this crate, on one line.
pub(crate) fn from_wgpu(error: wgpu::Error) -> Error {
    let text = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    let told = match error {
        wgpu::Error::OutOfMemory { .. } => Error::new(ErrorKind::Memory, "the device is out of memory"),
        _ if text.contains("lost") => Error::new(ErrorKind::DeviceLost, text),
        _ => Error::new(ErrorKind::Device, text),
    };
    caused(told, error)
}

/// An error with wgpu's error as its source.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn caused(error: Error, by: impl std::error::Error + Send + Sync + 'static) -> Error {
    error.because(by)
}

/// In a browser, errors of wgpu hold JavaScript values, which cannot leave their thread: only the text is kept.
#[cfg(target_arch = "wasm32")]
pub(crate) fn caused(error: Error, _: impl std::error::Error) -> Error {
    error
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn objections_keep_their_kind_and_their_source() {
        let source = || Box::new(std::io::Error::other("below"));
        let objections = [
            (wgpu::Error::OutOfMemory { source: source() }, ErrorKind::Memory),
            (wgpu::Error::Validation { source: source(), description: "the\n  binding".to_owned() }, ErrorKind::Device),
            (
                wgpu::Error::Internal { source: source(), description: "the device is lost".to_owned() },
                ErrorKind::DeviceLost,
            ),
        ];
        for (objection, kind) in objections {
            let e = from_wgpu(objection);
            assert_eq!(e.kind(), kind);
            assert!(!e.to_string().contains('\n'), "{e}");
            let wgpu = std::error::Error::source(&e).unwrap().downcast_ref::<wgpu::Error>().unwrap();
            assert_eq!(std::error::Error::source(wgpu).unwrap().to_string(), "below");
        }
    }
}
