import Testing
import TributaryCore

/// Keys as Kafka Streams lays them out.
@Suite struct KeySchemaTests {
    private let key: [UInt8] = [1, 2]

    private func row(_ schema: KeySchema, time: Int64) -> [UInt8] {
        var writer = ByteWriter()
        writer.append(key)
        if schema != .plain { writer.append(bigEndian: time) }
        if schema == .window { writer.append(bigEndian: UInt32(5)) }
        if schema == .session { writer.append(bigEndian: time - 3) }
        return writer.copy()
    }

    @Test(arguments: [KeySchema.plain, .windowed, .window, .session])
    func `a row gives back the record's key and its time`(_ schema: KeySchema) {
        let bytes = row(schema, time: 77)
        #expect(bytes.count == key.count + schema.suffixSize)
        #expect([UInt8](copying: schema.recordKey(of: bytes.span.bytes)) == key)
        #expect(schema.time(of: bytes.span.bytes) == (schema == .plain ? 0 : 77))
    }

    @Test func `only a window's row has a number that its record has not`() {
        #expect(
            [UInt8](copying: KeySchema.window.recordBytes(of: row(.window, time: 9).span.bytes))
                == row(.windowed, time: 9))
        #expect(
            [UInt8](copying: KeySchema.session.recordBytes(of: row(.session, time: 9).span.bytes))
                == row(.session, time: 9))
    }

    @Test(arguments: [KeySchema.windowed, .window, .session])
    func `rows of a range of times lie between its bounds`(_ schema: KeySchema) {
        let (low, high) = schema.bounds(of: key, from: 10, through: 20)
        for time in [Int64(9), 10, 15, 20, 21] {
            let bytes = row(schema, time: time).span.bytes
            let isInside = bytes.compare(to: low.span.bytes) >= 0 && bytes.compare(to: high.span.bytes) <= 0
            #expect(isInside == (10...20).contains(time))
        }
    }

    @Test(arguments: [KeySchema.windowed, .window, .session])
    func `a key that is too short has neither`(_ schema: KeySchema) {
        let bytes: [UInt8] = [1, 2, 3]
        #expect(schema.recordKey(of: bytes.span.bytes).byteCount == 0)
        #expect(schema.time(of: bytes.span.bytes) == 0)
    }
}
