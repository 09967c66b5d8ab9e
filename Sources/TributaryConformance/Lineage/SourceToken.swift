/// A source record as the values of lineage cases name it: `[topic:offset]`, partition 0.
struct SourceToken: Hashable, Comparable, CustomStringConvertible {
    let topic: String
    let offset: Int64

    var description: String { "[\(topic):\(offset)]" }

    static func < (left: SourceToken, right: SourceToken) -> Bool {
        (left.topic, left.offset) < (right.topic, right.offset)
    }

    /// All tokens of a value, each as often as it is there.
    static func all(in text: String) -> [SourceToken] {
        var tokens: [SourceToken] = []
        for part in text.utf8.split(separator: UInt8(ascii: "["), omittingEmptySubsequences: false).dropFirst() {
            guard let end = part.firstIndex(of: UInt8(ascii: "]")) else { continue }
            let content = part[..<end]
            guard let colon = content.lastIndex(of: UInt8(ascii: ":")),
                let offset = Int64(String(decoding: content[content.index(after: colon)...], as: UTF8.self))
            else { continue }
            tokens.append(SourceToken(topic: String(decoding: content[..<colon], as: UTF8.self), offset: offset))
        }
        return tokens
    }

    /// H128 of the record, computed here from the rules and not by the code that is checked.
    func digest(cluster: String) -> UInt128 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in Array(cluster.utf8) + [0] + Array(topic.utf8) {
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
        }
        // The partition is 0.
        let place = Self.mix(hash ^ Self.mix(0))
        let number = UInt64(bitPattern: offset)
        let high = Self.mix(place ^ Self.mix(number))
        let shifted = Self.mix(place &+ 0x8cb9_2ba7_2f3d_8dd7)
        let low = Self.mix(Self.mix(number &+ 0xd1b5_4a32_d192_ed03) ^ shifted)
        return UInt128(high) << 64 | UInt128(low)
    }

    private static func mix(_ word: UInt64) -> UInt64 {
        var word = word &+ 0x9e37_79b9_7f4a_7c15
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}

/// 32 hexadecimal digits, high half first.
func digestText(_ digest: UInt128) -> String {
    let text = String(digest, radix: 16)
    return String(repeating: "0", count: 32 - text.count) + text
}
