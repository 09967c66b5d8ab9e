internal import TributaryCore

/// The text beside a committed offset, as Kafka Streams writes it: base64 of `02`, the partition's time (8 bytes), and if any node keeps its
/// progress with the offsets, how many do (4 bytes) and for each the length of its store's name (4 bytes), that, and 8 bytes.
enum OffsetMetadata {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(partitionTime: Int64, progress: [String: Int64] = [:]) -> String {
        guard partitionTime >= 0 || !progress.isEmpty else { return "" }
        var writer = ByteWriter(capacity: 16)
        writer.append(2)
        writer.append(bigEndian: partitionTime)
        if !progress.isEmpty {
            writer.append(bigEndian: UInt32(progress.count))
            for (store, time) in progress.sorted(by: { $0.key < $1.key }) {
                writer.append(bigEndian: UInt32(store.utf8.count))
                writer.append(utf8: store)
                writer.append(bigEndian: time)
            }
        }
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
        guard let bytes = bytes(text) else { return -1 }
        return bytes.span.bytes.integer(at: 1, as: Int64.self) ?? -1
    }

    /// How far nodes had come, by the names of their stores; none if the text says nothing that can be read.
    static func progress(_ text: String) -> [String: Int64] {
        guard let bytes = bytes(text), bytes.count > 9 else { return [:] }
        var progress: [String: Int64] = [:]
        do throws(MalformedBytes) {
            var reader = ByteReader(bytes.span.bytes.dropping(9))
            let count: UInt32 = try reader.integer()
            for _ in 0..<count {
                let length: UInt32 = try reader.integer()
                let name = String(strictUTF8: try reader.span(Int(length)))
                let time: Int64 = try reader.integer()
                if let name { progress[name] = time }
            }
        } catch {
            return [:]
        }
        return progress
    }

    private static func bytes(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var word: UInt32 = 0
        var bits = 0
        for character in text.utf8 where character != 0x3d {
            guard let digit = digits.firstIndex(of: character) else { return nil }
            word = word << 6 | UInt32(digit)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(bits)))
            }
        }
        return bytes.count >= 9 && bytes[0] == 2 ? bytes : nil
    }
}
