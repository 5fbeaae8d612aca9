//! The family of a GPU, from what its driver says.

use std::fmt;

/// The family of GPUs that an adapter belongs to, as far as kernels differ.
///
/// ```
/// use convgpu::{Class, Device};
///
/// for adapter in Device::list() {
///     println!("{}: {}", adapter.name, adapter.caps.class);
/// }
/// assert_eq!(Class::Rdna3.to_string(), "rdna3");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// NVIDIA.
    Nvidia,
    /// AMD's RDNA 1 and 2.
    Rdna2,
    /// AMD's RDNA 3 and later.
    Rdna3,
    /// AMD's GCN and CDNA: subgroups of 64.
    Gcn,
    /// Intel.
    Intel,
    /// Apple.
    Apple,
    /// ARM's Mali and Immortalis.
    Arm,
    /// Qualcomm's Adreno.
    Qualcomm,
    /// Broadcom's VideoCore.
    Broadcom,
    /// Another one, a software adapter, or the driver does not say.
    Unknown,
}

/// One word in lower case.
impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Nvidia => "nvidia",
            Class::Rdna2 => "rdna2",
            Class::Rdna3 => "rdna3",
            Class::Gcn => "gcn",
            Class::Intel => "intel",
            Class::Apple => "apple",
            Class::Arm => "arm",
            Class::Qualcomm => "qualcomm",
            Class::Broadcom => "broadcom",
            Class::Unknown => "unknown",
        })
    }
}

enum Vendor {
    Amd,
    Other(Class),
}

impl Class {
    /// The class of an adapter by its vendor's number (of PCI, or Khronos'), its name and its smallest subgroup. Browsers give no
    /// number, and Mesa's own one stands for several vendors: then the name decides.
    pub(super) fn of(vendor: u32, name: &str, subgroup_min: u32) -> Class {
        let name = name.to_lowercase();
        let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
        match Vendor::numbered(vendor).or_else(|| words.iter().find_map(|word| Vendor::named(word))) {
            Some(Vendor::Amd) => amd(&words, subgroup_min),
            Some(Vendor::Other(class)) => class,
            None => Class::Unknown,
        }
    }
}

impl Vendor {
    fn numbered(number: u32) -> Option<Vendor> {
        Some(Vendor::Other(match number {
            0x1002 | 0x1022 => return Some(Vendor::Amd),
            0x10DE => Class::Nvidia,
            0x8086 => Class::Intel,
            0x106B => Class::Apple,
            0x13B5 => Class::Arm,
            0x5143 => Class::Qualcomm,
            0x14E4 => Class::Broadcom,
            _ => return None,
        }))
    }

    fn named(word: &str) -> Option<Vendor> {
        Some(Vendor::Other(match word {
            "amd" | "radeon" | "radv" | "radeonsi" => return Some(Vendor::Amd),
            "nvidia" | "geforce" | "quadro" | "rtx" | "gtx" => Class::Nvidia,
            "intel" => Class::Intel,
            "apple" => Class::Apple,
            "mali" | "immortalis" => Class::Arm,
            "adreno" => Class::Qualcomm,
            "v3d" | "videocore" => Class::Broadcom,
            _ => return None,
        }))
    }
}

/// RDNA has subgroups of 32, or of 64 where a shader wants them; GCN has none of 32. Where a driver does not tell their sizes
/// (GL, Metal), the name does.
fn amd(words: &[&str], subgroup_min: u32) -> Class {
    if subgroup_min == 64 {
        return Class::Gcn;
    }
    let named = words.iter().find_map(|word| generation(word));
    named.unwrap_or(if subgroup_min == 32 { Class::Rdna3 } else { Class::Unknown })
}

/// What a word of an adapter's name says: Mesa's name of the chip, the compiler's, or the number of the product.
fn generation(word: &str) -> Option<Class> {
    match word {
        "vega" | "vega10" | "vega12" | "vega20" | "raven" | "raven2" | "renoir" | "polaris10" | "polaris11"
        | "polaris12" | "fiji" | "tonga" | "hawaii" | "hd" | "r5" | "r7" | "r9" | "vii" | "wx" | "instinct" => {
            return Some(Class::Gcn);
        }
        "vangogh" | "rembrandt" | "raphael" | "mendocino" => return Some(Class::Rdna2),
        "phoenix" | "phoenix2" => return Some(Class::Rdna3),
        _ => {}
    }
    if let Some(chip) = word.strip_prefix("navi") {
        return Some(if chip < "3" { Class::Rdna2 } else { Class::Rdna3 });
    }
    if let Some(chip) = word.strip_prefix("gfx") {
        return Some(match chip.get(..chip.len().saturating_sub(2)) {
            Some("10") => Class::Rdna2,
            Some("11" | "12") => Class::Rdna3,
            _ => Class::Gcn,
        });
    }
    // RX 6800, Pro W7900, Pro 5500M, 8060S; of the GPUs in processors 680M, 780M, 890M.
    let number = word.trim_start_matches('w').trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let is_number = number.chars().all(|c| c.is_ascii_digit());
    match (number.len(), number.chars().next()?) {
        (4, '5' | '6') if is_number => Some(Class::Rdna2),
        (4, '7' | '8' | '9') if is_number => Some(Class::Rdna3),
        (3, '6') if is_number && word.ends_with('m') => Some(Class::Rdna2),
        (3, '7' | '8') if is_number && word.ends_with('m') => Some(Class::Rdna3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What drivers tell of adapters. wgpu gives 4 where a backend does not know the sizes of subgroups.
    const REAL: &[(u32, &str, u32, Class)] = &[
        (0x10DE, "NVIDIA H100 80GB HBM3", 32, Class::Nvidia),
        (0x10DE, "NVIDIA GeForce RTX 3050 Laptop GPU", 32, Class::Nvidia),
        (0x10DE, "NVIDIA GeForce RTX 3060/PCIe/SSE2", 4, Class::Nvidia),
        (0x10DE, "Microsoft Direct3D12 (NVIDIA GeForce GTX 1080)", 32, Class::Nvidia),
        (0, "ANGLE (NVIDIA, NVIDIA GeForce RTX 2070 Direct3D11 vs_5_0 ps_5_0, D3D11)", 4, Class::Nvidia),
        (0x1002, "AMD RADV NAVI10 (ACO)", 32, Class::Rdna2),
        (0x1002, "AMD RADV NAVI22 (ACO)", 32, Class::Rdna2),
        (0x1002, "AMD Radeon Graphics (RADV GFX1036)", 32, Class::Rdna2),
        (0x1002, "AMD Radeon Graphics (radeonsi, navi33, LLVM 17.0.6)", 4, Class::Rdna3),
        (0x1002, "AMD Radeon Graphics (radeonsi, gfx1103_r1, LLVM 17.0.6)", 4, Class::Rdna3),
        (0x1002, "AMD Radeon RX 6800 XT (RADV NAVI21)", 32, Class::Rdna2),
        (0x1002, "AMD Radeon RX 6600", 32, Class::Rdna2),
        (0x1002, "AMD Radeon RX 5700 XT", 32, Class::Rdna2),
        (0x1002, "AMD Custom GPU 0405 (RADV VANGOGH)", 32, Class::Rdna2),
        (0x1002, "AMD Radeon Graphics (RADV RAPHAEL_MENDOCINO)", 32, Class::Rdna2),
        (0x1002, "AMD Radeon 680M (RADV REMBRANDT)", 32, Class::Rdna2),
        (0x1002, "AMD Radeon RX 6800 XT (radeonsi, navi21, LLVM 15.0.6, DRM 3.49, 6.1.0-13-amd64)", 4, Class::Rdna2),
        (0, "AMD Radeon Pro 5500M", 4, Class::Rdna2),
        (0x1002, "AMD Radeon PRO W6800", 32, Class::Rdna2),
        (0x1002, "AMD Radeon RX 7900 XTX (RADV NAVI31)", 32, Class::Rdna3),
        (0x1002, "AMD Radeon RX 7600M XT", 32, Class::Rdna3),
        (0x1002, "AMD Radeon 780M (RADV GFX1103_R1)", 32, Class::Rdna3),
        (0x1002, "AMD Radeon 780M Graphics", 32, Class::Rdna3),
        (0x1002, "AMD Radeon 890M (RADV GFX1150)", 32, Class::Rdna3),
        (0x1002, "AMD Radeon(TM) 8060S Graphics", 32, Class::Rdna3),
        (0x1002, "AMD Radeon RX 9070 XT (RADV GFX1201)", 32, Class::Rdna3),
        (0x1002, "AMD Radeon(TM) Graphics", 32, Class::Rdna3),
        (0x1002, "AMD Radeon(TM) Graphics", 64, Class::Gcn),
        (0x1002, "Radeon RX 580 Series", 64, Class::Gcn),
        (0x1002, "AMD RADV VEGA10 (ACO)", 64, Class::Gcn),
        (0x1002, "AMD Radeon Pro WX 7100 (radeonsi, polaris10, LLVM 15.0.6, DRM 3.49, 6.1.0-13-amd64)", 4, Class::Gcn),
        (0x1002, "AMD Radeon HD 7970 (radeonsi, tahiti, LLVM 15.0.6)", 4, Class::Gcn),
        (0x1002, "AMD Instinct MI250X (RADV GFX90A)", 64, Class::Gcn),
        (0x1002, "AMD Instinct MI250X (RADV GFX90A)", 4, Class::Gcn),
        (0x1002, "AMD Radeon(TM) Graphics", 4, Class::Unknown),
        (0x8086, "Intel(R) UHD Graphics 630 (CFL GT2)", 8, Class::Intel),
        (0x8086, "Intel(R) Arc(tm) A770 Graphics (DG2)", 8, Class::Intel),
        (0, "Mesa Intel(R) Xe Graphics (TGL GT2)", 4, Class::Intel),
        (0, "Apple M3 Max", 4, Class::Apple),
        (0x10005, "Apple M1 (G13G B1)", 32, Class::Apple),
        (0x13B5, "Mali-G78", 16, Class::Arm),
        (0, "Immortalis-G715", 4, Class::Arm),
        (0x5143, "Adreno (TM) 740", 64, Class::Qualcomm),
        (0x5143, "Qualcomm(R) Adreno(TM) X1-85 GPU", 64, Class::Qualcomm),
        (0x14E4, "V3D 7.1.7", 16, Class::Broadcom),
        (0x10005, "llvmpipe (LLVM 15.0.6, 256 bits)", 8, Class::Unknown),
        (0x1AE0, "SwiftShader Device (Subzero)", 4, Class::Unknown),
        (0x1414, "Microsoft Basic Render Driver", 4, Class::Unknown),
        (0x1010, "PowerVR Rogue GE8320", 32, Class::Unknown),
        (0, "", 4, Class::Unknown),
    ];

    #[test]
    fn adapters_that_exist_have_their_class() {
        for &(vendor, name, subgroup_min, class) in REAL {
            assert_eq!(Class::of(vendor, name, subgroup_min), class, "{vendor:#x} {name:?} {subgroup_min}");
        }
    }

    /// No text that a driver may give is a panic.
    #[test]
    fn odd_names_have_no_class() {
        for name in ["gfx", "navi", "gfx1", "w", "m", "5é00", "ÄÖ", "1234567890m", "(((", "RX"] {
            let radeon = format!("Radeon {name}");
            assert!(matches!(Class::of(0, name, 4), Class::Unknown), "{name}");
            Class::of(0x1002, &radeon, 4);
        }
    }
}
