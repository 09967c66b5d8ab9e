import Testing
import TributaryCore

@Suite struct ByteTests {
    private static let varints: [(UInt64, String)] = [
        (0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (16_383, "ff7f"), (16_384, "808001"),
        (UInt64(UInt32.max), "ffffffff0f"), (UInt64(Int64.max), "ffffffffffffffff7f"),
        (.max, "ffffffffffffffffff01"),
    ]

    @Test(arguments: varints)
    func `varints are LEB128`(value: UInt64, text: String) throws {
        var writer = ByteWriter()
        writer.append(varint: value)
        #expect(hex(writer.copy()) == text)
        var reader = ByteReader(writer.bytes)
        let read = try reader.varint()
        let left = reader.remaining
        #expect(read == value)
        #expect(left == 0)
    }

    private static let zigZags: [(Int64, String)] = [
        (0, "00"), (-1, "01"), (1, "02"), (-2, "03"), (63, "7e"), (-64, "7f"), (64, "8001"),
        (.max, "feffffffffffffffff01"), (.min, "ffffffffffffffffff01"),
    ]

    @Test(arguments: zigZags)
    func `signed varints are zig-zag`(value: Int64, text: String) throws {
        var writer = ByteWriter()
        writer.append(zigZag: value)
        #expect(hex(writer.copy()) == text)
        var reader = ByteReader(writer.bytes)
        let read = try reader.zigZag()
        #expect(read == value)
    }

    private func varintError(_ hex: String) -> MalformedBytes? {
        guard let bytes = [UInt8](hexadecimal: hex) else { return nil }
        var reader = ByteReader(bytes.span.bytes)
        do throws(MalformedBytes) {
            _ = try reader.varint()
            return nil
        } catch {
            return error
        }
    }

    @Test func `varints that end early or are too long are refused`() {
        #expect(varintError("") == .truncated(offset: 0))
        #expect(varintError("80") == .truncated(offset: 0))
        #expect(varintError("ffffffffffffffffff") == .truncated(offset: 0))
        #expect(varintError("ffffffffffffffffff02") == .badVarint(offset: 0))
        #expect(varintError("8080808080808080808001") == .badVarint(offset: 0))
    }

    @Test func `fields are read in the order of writing`() throws {
        var writer = ByteWriter(capacity: 1)
        writer.append(7)
        writer.append(bigEndian: Int32(-2))
        writer.append(bigEndian: UInt64(0x0102_0304_0506_0708))
        writer.append(varint: 3)
        writer.append(utf8: "abc")
        writer.append([9, 8])
        #expect(hex(writer.copy()) == "07fffffffe0102030405060708036162630908")
        var reader = ByteReader(writer.bytes)
        let byte = try reader.byte()
        let small = try reader.integer(Int32.self)
        let large = try reader.integer(UInt64.self)
        let text = String(strictUTF8: try reader.lengthPrefixed())
        let rest = [UInt8](copying: reader.rest())
        #expect(byte == 7 && small == -2 && large == 0x0102_0304_0506_0708)
        #expect(text == "abc")
        #expect(rest == [9, 8])
    }

    @Test func `a length beyond the end is refused and nothing is read`() {
        let bytes: [UInt8] = [200, 1, 5]
        var reader = ByteReader(bytes.span.bytes)
        var caught: MalformedBytes?
        do throws(MalformedBytes) { _ = try reader.lengthPrefixed() } catch { caught = error }
        #expect(caught == .badLength(offset: 0, length: 200))
        var second = ByteReader(bytes.span.bytes)
        caught = nil
        do throws(MalformedBytes) { _ = try second.integer(UInt32.self) } catch { caught = error }
        #expect(caught == .truncated(offset: 0))
        caught = nil
        do throws(MalformedBytes) { _ = try second.span(-1) } catch { caught = error }
        #expect(caught == .badLength(offset: 0, length: 0))
        let offset = second.offset
        #expect(offset == 0)
    }

    @Test func `a writer can be cut, overwritten and reused`() {
        var writer = ByteWriter(capacity: 16)
        let start = writer.appendZeros(4)
        writer.append(utf8: String(repeating: "x", count: 1_000))
        writer.overwrite(at: start, bigEndian: UInt32(1_000))
        writer.overwrite(at: 4, byte: 0x79)
        let first = [UInt8](copying: writer.bytes(in: 0..<5))
        let last = writer.bytes(from: 1_003).byteCount
        let beyond = writer.bytes(from: 9_999).byteCount
        #expect(hex(first) == "000003e879")
        #expect(last == 1 && beyond == 0)
        writer.truncate(to: 2)
        #expect(writer.copy() == [0, 0])
        writer.removeAll()
        writer.shrink(over: 64)
        writer.append(1)
        #expect(writer.copy() == [1])
    }

    private static let orders: [([UInt8], [UInt8])] = [
        ([], [0]), ([0], [1]), ([1], [1, 0]), ([0x7f], [0x80]), (Array(0..<9), Array(0..<10)),
        ([0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 2]),
        ([1, 1, 1, 1, 1, 1, 1, 1, 5], [1, 1, 1, 1, 1, 1, 1, 1, 6]),
        ([1, 0, 0, 0, 0, 0, 0, 0, 9], [2, 0, 0, 0, 0, 0, 0, 0, 1]),
    ]

    @Test(arguments: orders)
    func `bytes are ordered as unsigned numbers, shorter ones first`(less: [UInt8], more: [UInt8]) {
        #expect(compare(less, more) < 0 && compare(more, less) > 0)
        #expect(compare(less, less) == 0 && compare(more, more) == 0)
        #expect(prefixWord(less) <= prefixWord(more))
        let equal = less.span.bytes.isEqual(to: more.span.bytes)
        #expect(!equal)
    }

    @Test func `views never reach beyond their end`() {
        let bytes: [UInt8] = [1, 2, 3]
        let outside = [bytes.span.bytes.byte(at: 3), bytes.span.bytes.byte(at: -1)]
        #expect(outside == [nil, nil])
        let whole = bytes.span.bytes.integer(at: 0, as: UInt32.self)
        let half = bytes.span.bytes.integer(at: 1, as: UInt16.self)
        let far = bytes.span.bytes.integer(at: .max, as: UInt16.self)
        #expect(whole == nil && half == 0x0203 && far == nil)
        let counts = [bytes.span.bytes.prefix(9).byteCount, bytes.span.bytes.dropping(9).byteCount]
        #expect(counts == [3, 0])
        let isPrefix = bytes.span.bytes.hasPrefix(bytes.span.bytes.prefix(2))
        #expect(isPrefix)
    }

    @Test func `hexadecimal text is read in either case, and nothing else is`() {
        #expect([UInt8](hexadecimal: "00fFA9") == [0, 255, 0xa9])
        for text in ["0", "0g", "0x", " 00"] { #expect([UInt8](hexadecimal: text) == nil) }
        let repaired = String(strictUTF8: ([0xc3, 0x28] as [UInt8]).span.bytes)
        #expect(repaired == nil)
    }
}
