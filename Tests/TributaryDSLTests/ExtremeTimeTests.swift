import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

/// Windows, stores and punctuations at the ends of time: what comes near `Int64.max` neither traps, nor hangs, nor is missed.
@Suite struct ExtremeTimeTests {
    private static let minute: Int64 = 60_000

    private func driver(_ cacheBytes: Int = 0, _ describe: (StreamsBuilder) -> Void) throws -> TopologyTestDriver {
        let builder = StreamsBuilder()
        describe(builder)
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cacheBytes
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    @Test(.timeLimit(.minutes(10)), arguments: [0, 1 << 20])
    func `a record at the end of time has its window, and no other one`(_ cacheBytes: Int) throws {
        let driver = try driver(cacheBytes) { builder in
            builder.stream("in", key: .string, value: .string).groupByKey()
                .windowedBy(.tumbling(size: .milliseconds(10))).count(as: "counts").toStream().to("out")
        }
        defer { driver.close() }
        for time in [Int64.max - 7, Int64.max, Int64.max] {
            try driver.pipe("in", "k", "v", timestamp: time, .string, .string)
        }
        let out = try driver.takeRecords().filter { $0.topic == "out" }.map(\.record)
        #expect(out.map(\.value?.last) == [1, 2, 3])
        #expect(driver.droppedRecords == 0)
        #expect(try driver.rows(ofStore: "counts").count == 1)
    }

    @Test(.timeLimit(.minutes(10)), arguments: 0..<300 as Range<UInt64>)
    func `random windows at random times are those of a model in wider numbers`(_ seed: UInt64) throws {
        var random = FastRandom(seed: seed &* 77 &+ 5)
        func pick(_ choices: [Int64]) -> Int64 { choices[Int(random.next() % UInt64(choices.count))] }
        let size = pick([1, 2, 10, 1000, Int64.max / 2, Int64.max - 1, Int64.max])
        let advance = max(size / pick([1, 2, 3, 7]), 1)
        let grace = pick([0, 1, 5, Int64.max - 1, Int64.max])
        let driver = try driver { builder in
            builder.stream("in", key: .string, value: .string).groupByKey()
                .windowedBy(
                    .hopping(
                        size: .milliseconds(size), advance: .milliseconds(advance), grace: .milliseconds(grace))
                ).count(as: "counts").toStream().to("out")
        }
        defer { driver.close() }
        var counts: [Int128: Int] = [:]
        var streamTime: Int128 = -1
        var dropped = 0
        for _ in 0..<12 {
            let base = pick([0, 1, 1000, 1 << 40, Int64.max / 2, Int64.max - 1000, Int64.max])
            let time = min(max(base.addingSaturated(pick([-20, -3, -1, 0, 1, 2, 11])), 0), Int64.max)
            streamTime = max(streamTime, Int128(time))
            var expected: [(start: Int128, count: Int)] = []
            let first = max(Int128(time) - Int128(size) + Int128(advance), 0) / Int128(advance) * Int128(advance)
            for start in stride(from: first, through: Int128(time), by: Int128.Stride(advance)) {
                guard start + Int128(size) > streamTime - Int128(grace) else {
                    dropped += 1
                    continue
                }
                counts[start, default: 0] += 1
                expected.append((start, counts[start] ?? 0))
            }
            try driver.pipe("in", "k", "v", timestamp: time, .string, .string)
            let out = try driver.takeRecords().filter { $0.topic == "out" }.map(\.record)
            let found = out.map { record in
                let key = record.key ?? []
                return Int128(key.span.bytes.integer(at: key.count - 8, as: Int64.self) ?? -1)
            }
            #expect(found == expected.map(\.start), "size \(size), advance \(advance), grace \(grace), time \(time)")
            #expect(out.map { Int($0.value?.last ?? 0) } == expected.map(\.count))
        }
        #expect(driver.droppedRecords == dropped)
    }

    @Test func `windows say where they begin and end, whatever the times are`() throws {
        for size in [1, 10, Int64.max] {
            for advance in Set([1, size]) {
                let windows = TimeWindows.hopping(size: .milliseconds(size), advance: .milliseconds(advance))
                for time in [Int64.min, -1, 0, 1, Int64.max - 1, Int64.max] {
                    let start = windows.firstStart(of: time)
                    #expect(start >= 0 && start % advance == 0)
                    #expect(time < 0 || start <= time)
                    #expect(windows.end(ofStart: start) >= start)
                }
            }
        }
        #expect(TimeWindows.tumbling(size: .zero).firstStart(of: 5) >= 0)
        let serde = Serde<Windowed<String>>.timeWindowed(.string, size: .milliseconds(Int64.max))
        let windowed = Windowed(key: "k", window: Window(start: 5, end: Int64.max))
        #expect(try serde.value(serde.bytes(windowed)) == windowed)
    }

    @Test func `a record before the epoch has its partition's time, and fails where there is none yet`() throws {
        let extractor = TimestampExtractor.usePartitionTime
        func time(_ timestamp: Int64, _ partitionTime: Int64) throws -> Int64 {
            try extractor.extract(
                UndecodedRecord(
                    timestamp: timestamp, partitionTime: partitionTime, key: nil, value: nil, headers: RawSpan.empty,
                    coordinate: RecordCoordinate(topic: "in", partition: 0, offset: 0)))
        }
        #expect(try time(5, 7) == 5)
        #expect(try time(-5, 7) == 7)
        #expect(try time(-5, 0) == 0)
        #expect(throws: InvalidTimestamp.self) { try time(-5, -1) }
    }

    // MARK: Window stores

    @Test(arguments: [(false, 0), (true, 0), (false, 1 << 20), (true, 1 << 20)], [0, 1, 1000, Int64.max] as [Int64])
    func `a window store finds its rows at the ends of time`(
        _ form: (isCached: Bool, cacheBytes: Int), _ retention: Int64
    )
        throws
    {
        let store = StoreDescription(
            name: "w",
            kind: .window(retention: retention, size: Int64.max, retainsDuplicates: false, timestamped: false),
            isPersistent: true, isCached: form.isCached)
        let driver = try driver(form.cacheBytes) { builder in
            builder.addStateStore(store)
            builder.stream("in", key: .string, value: .string)
                .process(stores: ["w"], key: .string, value: .string) { Fetch() }.to("out")
        }
        defer { driver.close() }
        let times = [Int64.max - 2 * Self.minute, Int64.max - Self.minute / 2, Int64.max - 1, Int64.max]
        for (number, time) in times.enumerated() {
            try driver.pipe("in", "k", "\(number)", timestamp: time, .string, .string)
            let out = try driver.takeRecords().filter { $0.topic == "out" }.map(\.record)
            let found = out.compactMap { $0.value.map { String(decoding: $0, as: UTF8.self) } }
            // Of what was put so far, all that isn't older than the retention; what is in the cache has none.
            let kept = times[...number].enumerated().filter { _, start in
                form.isCached && form.cacheBytes > 0 || retention == Int64.max
                    || start >= Int64(clamping: Int128(times[number]) - Int128(retention) + 1)
            }
            let text = kept.map { "\($0.offset)" }.joined()
            #expect(found == ["all \(text)", "fetch \(text)", "between \(text)"])
        }
    }

    @Test func `a window store with less than no retention is refused`() {
        for (retention, size) in [(-1, 1), (1, -1), (Int64.min, 1)] as [(Int64, Int64)] {
            let builder = StreamsBuilder()
            builder.addStateStore(
                StoreDescription(
                    name: "w",
                    kind: .window(retention: retention, size: size, retainsDuplicates: false, timestamped: false)))
            builder.stream("in", key: .string, value: .string)
                .process(stores: ["w"], key: .string, value: .string) { Fetch() }.to("out")
            #expect(throws: TopologyError.self) { _ = try builder.build() }
        }
    }

    @Test func `the changelog of a store that is kept for ever is kept for ever`() {
        let store = StoreDescription(
            name: "w",
            kind: .window(retention: Int64.max - 5, size: 1, retainsDuplicates: false, timestamped: false))
        #expect(store.changelogConfiguration["retention.ms"] == "9223372036854775807")
    }

    // MARK: Punctuations

    @Test(.timeLimit(.minutes(10)), arguments: [1, 7, 1000, Int64.max - 1, Int64.max] as [Int64])
    func `punctuations by stream time end with time`(_ interval: Int64) throws {
        let driver = try driver { builder in
            builder.stream("in", key: .string, value: .string)
                .process(key: .string, value: .string) { Tick(interval, .streamTime) }.to("out")
        }
        defer { driver.close() }
        // One at the first record, since the first is due at 0; then one for all that were missed; none after the last.
        var model = Int128(0)
        for time in [0, 1, Int64.max - 1, Int64.max - 1, Int64.max, Int64.max] as [Int64] {
            try driver.pipe("in", "k", "v", timestamp: time, .string, .string)
            let out = try driver.takeRecords().filter { $0.topic == "out" }.map(\.record)
            var expected: [Int64] = []
            if model <= Int128(time) {
                expected = [time]
                model += (Int128(time) - model) / Int128(interval) * Int128(interval) + Int128(interval)
            }
            #expect(out.map(\.timestamp) == expected, "at \(time)")
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a punctuation by wall clock that is never due does nothing`() throws {
        let driver = try driver { builder in
            builder.stream("in", key: .string, value: .string)
                .process(key: .string, value: .string) { Tick(.max, .wallClock) }.to("out")
        }
        defer { driver.close() }
        try driver.pipe("in", "k", "v", timestamp: 0, .string, .string)
        try driver.advanceWallClock(by: .milliseconds(1 << 40))
        #expect(try driver.takeRecords().isEmpty)
    }
}

/// Keeps each record at its time, and says in three ways what the store has.
private final class Fetch: Processor {
    private var context: ProcessorContext<String, String>?
    private var store: WindowStore<String, String>?
    func initialize(_ context: ProcessorContext<String, String>) throws {
        self.context = context
        store = try context.windowStore("w", key: .string, value: .string)
    }
    func process(_ record: Record<String, String>) throws {
        guard let store else { return }
        try store.put(record.key, record.value, windowStart: record.timestamp)
        try context?.forward(record.with(value: "all " + store.all().map(\.value).joined()))
        try context?.forward(
            record.with(value: "fetch " + store.fetch(record.key, from: 0, through: .max).map(\.value).joined()))
        try context?.forward(
            record.with(
                value: "between "
                    + store.fetchAll(from: Int64.max - 200_000, through: record.timestamp).map(\.value).joined()))
    }
}

private final class Tick: Processor {
    private let interval: Int64
    private let clock: PunctuationClock
    private var context: ProcessorContext<String, String>?
    init(_ interval: Int64, _ clock: PunctuationClock) {
        self.interval = interval
        self.clock = clock
    }
    func initialize(_ context: ProcessorContext<String, String>) {
        self.context = context
        context.schedule(every: .milliseconds(interval), clock) { [weak self] time in
            try self?.context?.forward(Record(key: "t", value: "t", timestamp: time))
        }
    }
    func process(_ record: Record<String, String>) throws {}
}
