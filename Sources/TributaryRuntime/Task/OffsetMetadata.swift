internal import TributaryCore

/// The text beside a committed offset, as Kafka Streams writes it: base64 of `02`, then the partition's time (8 bytes).
enum OffsetMetadata {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(partitionTime: Int64) -> String {
        guard partitionTime >= 0 else { return "" }
        var writer = ByteWriter(capacity: 16)
        writer.append(2)
        writer.append(bigEndian: partitionTime)
        let bytes = writer.copy()
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            var word: UInt32 = 0
            for offset in 0..<3 { word = word << 8 | UInt32(start + offset < bytes.count ? bytes[start + offset] : 0) }
            for (index, shift) in [18, 12, 6, 0].enumerated() {
                text.append(start + index <= bytes.count ? digits[Int(word >> UInt32(shift)) & 63] : 0x3d)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The partition's time; -1 if the text is not this format's.
    static func partitionTime(_ text: String) -> Int64 {
        var bytes: [UInt8] = []
        var word: UInt32 = 0
        var bits = 0
        for character in text.utf8 where character != 0x3d {
            guard let digit = digits.firstIndex(of: character) else { return -1 }
            word = word << 6 | UInt32(digit)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(bits)))
            }
        }
        guard bytes.count >= 9, bytes[0] == 2 else { return -1 }
        return bytes.span.bytes.integer(at: 1, as: Int64.self) ?? -1
    }
}
