import Testing
import TributaryCore

@Suite struct VarintTests {
    /// Numbers around each length, and their neighbours.
    static let values: [UInt64] = (0..<64).flatMap { bit -> [UInt64] in
        let power = UInt64(1) << UInt64(bit)
        return [power &- 1, power, power | power >> 1, ~power]
    }

    @Test func `varints come back, whatever follows them`() throws {
        for value in VarintTests.values {
            var expected: [UInt8] = []
            var rest = value
            while rest >= 0x80 {
                expected.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            expected.append(UInt8(rest))
            for padding in [0, 1, 7, 20] {
                var writer = ByteWriter(capacity: 16)
                writer.append(varint: value)
                #expect(writer.count == varintSize(value))
                for _ in 0..<padding { writer.append(0xff) }
                let bytes = writer.copy()
                #expect(bytes == expected + [UInt8](repeating: 0xff, count: padding))
                var reader = ByteReader(bytes.span.bytes)
                let read = try reader.varint()
                #expect(read == value)
                #expect(reader.remaining == padding)
            }
        }
    }

    @Test func `numbers that are not minimal are read, too long ones are refused`() throws {
        let loose: [UInt8] = [0x81, 0x80, 0x00, 0, 0, 0, 0, 0, 0]
        var reader = ByteReader(loose.span.bytes)
        let read = try reader.varint()
        #expect(read == 1)
        #expect(reader.offset == 3)
        #expect(throws: MalformedBytes.badVarint(offset: 0)) { try varint([UInt8](repeating: 0xff, count: 11)) }
        #expect(throws: MalformedBytes.badVarint(offset: 0)) {
            try varint([UInt8](repeating: 0xff, count: 9) + [2, 0, 0])
        }
        #expect(throws: MalformedBytes.truncated(offset: 0)) { try varint([0x80, 0x80]) }
    }

    func varint(_ bytes: [UInt8]) throws(MalformedBytes) -> UInt64 {
        var reader = ByteReader(bytes.span.bytes)
        return try reader.varint()
    }
}
