import Testing
import TributaryCore
import TributaryDSL
import TributaryRuntime
import TributaryTesting

/// Values of cached rows are decoded once, and never show what isn't in the row's bytes.
@Suite struct DecodedRowsTests {
    /// What is aggregated: text, whose serde counts what it decodes.
    private struct Text: Equatable {
        var text = ""
    }

    private final class Shared {
        var text: String
        init(_ text: String) { self.text = text }
    }

    private struct Refusal: Error {}

    private let decodes = Guarded(0)

    private func serde<Value>(
        _ make: @escaping @Sendable (String) -> Value, _ text: @escaping @Sendable (Value) -> String
    )
        -> Serde<Value>
    {
        let decodes = decodes
        return Serde(
            name: "text",
            decode: { bytes in
                decodes.withLock { $0 += 1 }
                return make(String(decoding: [UInt8](copying: bytes), as: UTF8.self))
            },
            encode: { value, writer in writer.append(utf8: text(value)) })
    }

    private var texts: Serde<Text> { serde({ Text(text: $0) }, { $0.text }) }

    private func driver(_ builder: StreamsBuilder, cacheBytes: Int) throws -> TopologyTestDriver {
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cacheBytes
        configuration.runtime.processingHandler = { _ in .continue }
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    private func outputs(_ driver: TopologyTestDriver) throws -> [String] {
        try driver.advanceWallClock(by: .seconds(60))
        return try driver.takeRecords().filter { $0.topic == "out" }.map {
            String(decoding: $0.record.value ?? [], as: UTF8.self)
        }
    }

    private func aggregated(cacheBytes: Int) throws -> TopologyTestDriver {
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self).groupByKey()
            .aggregate(into: Text(), as: "texts", value: texts) { result, value in
                result.text += value
                if value == "!" { throw Refusal() }
            }
            .toStream().to("out")
        return try driver(builder, cacheBytes: cacheBytes)
    }

    @Test func `an aggregate in the cache is not decoded, one that isn't is`() throws {
        for (cacheBytes, expected) in [(1 << 20, 0), (0, 9)] {
            decodes.withLock { $0 = 0 }
            let driver = try aggregated(cacheBytes: cacheBytes)
            for _ in 0..<10 { try driver.pipe("in", "k", "a", timestamp: 0, .string, .string) }
            #expect(decodes.withLock { $0 } == expected)
            #expect(try outputs(driver).last == "aaaaaaaaaa")
            driver.close()
        }
    }

    @Test func `what a closure changed before it threw is gone`() throws {
        let driver = try aggregated(cacheBytes: 1 << 20)
        for value in ["a", "b", "!", "c"] { try driver.pipe("in", "k", value, timestamp: 0, .string, .string) }
        #expect(try outputs(driver).last == "abc")
        driver.close()
    }

    @Test func `a row that left the cache and came back is decoded anew`() throws {
        // Room for a row or two.
        let driver = try aggregated(cacheBytes: 200)
        for round in 0..<5 {
            for key in 0..<20 { try driver.pipe("in", "\(key)", "\(round)", timestamp: 0, .string, .string) }
        }
        #expect(try outputs(driver).filter { $0 == "01234" }.count == 20)
        #expect(decodes.withLock { $0 } > 60)
        driver.close()
    }

    @Test func `a joined row is decoded again once it has changed`() throws {
        let builder = StreamsBuilder()
        let table = builder.table("table", key: .string, value: texts, as: "table")
        builder.stream("in", of: String.self).join(table) { left, right in left + right.text }.to("out", value: .string)
        let driver = try driver(builder, cacheBytes: 1 << 20)
        try driver.pipe("table", "k", "1", timestamp: 0, .string, .string)
        let before = decodes.withLock { $0 }
        for _ in 0..<5 { try driver.pipe("in", "k", "a", timestamp: 0, .string, .string) }
        #expect(decodes.withLock { $0 } == before + 1)
        try driver.pipe("table", "k", "2", timestamp: 1, .string, .string)
        for _ in 0..<5 { try driver.pipe("in", "k", "b", timestamp: 1, .string, .string) }
        #expect(try outputs(driver) == Array(repeating: "a1", count: 5) + Array(repeating: "b2", count: 5))
        driver.close()
    }

    @Test func `objects are never held: somebody else may change them`() throws {
        let builder = StreamsBuilder()
        let shared: Serde<Shared> = serde({ Shared($0) }, { $0.text })
        builder.stream("in", of: String.self).groupByKey()
            .aggregate(into: Shared(""), as: "texts", value: shared) { result, value in
                result.text += value
                if value == "!" { throw Refusal() }
            }
            .toStream().to("out")
        let driver = try driver(builder, cacheBytes: 1 << 20)
        for value in ["a", "!", "b"] { try driver.pipe("in", "k", value, timestamp: 0, .string, .string) }
        #expect(try outputs(driver).last == "ab")
        #expect(decodes.withLock { $0 } == 2)
        driver.close()
    }
}
