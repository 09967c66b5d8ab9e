import Tributary

/// One stateful operator under load: its topology, and which record comes as the how manieth.
struct OperatorWorkload: Sendable {
    let name: String
    let topics: [String]
    /// How many of the first records fill a table.
    var preload: Int64 = 0
    /// A record's value begins with one of so many keys.
    var foreignKeys: UInt64 = 10_000
    let topology: @Sendable (StreamsBuilder) throws -> Void
    /// Of the record with this number: the topic (an index), the key's number, and the timestamp in ms after the beginning.
    let source: @Sendable (Int64) -> (topic: Int, key: UInt64, time: Int64)

    /// A stream of `keys` keys in no order, `perSecond` records in a second of record time.
    private static func stream(_ keys: UInt64, perSecond: Int64 = 1000) -> @Sendable (Int64) -> (Int, UInt64, Int64) {
        { (0, mixed($0) % keys, $0 * 1000 / perSecond) }
    }

    static let all: [OperatorWorkload] = [
        windowedCount("windowed-count", keys: 10_000),
        sessionCount("session-count", keys: 10_000),
        slidingCount("sliding-count", keys: 10_000),
        streamTableJoin("stream-table-join", rows: 100_000),
        streamJoin("stream-stream-join", isOuter: false),
        streamJoin("stream-stream-outer-join", isOuter: true),
        tableJoin("table-table-join", keys: 10_000),
        suppress("suppress", keys: 10_000),
        foreignKeyJoin("foreign-key-join", foreignKeys: 10_000),
        versionedJoin("versioned-join", keys: 10_000),
    ]

    /// The same with ten or a hundred times the rows, the windows, the sessions, or the rows that refer to one other.
    static let growing: [(String, [OperatorWorkload])] = [
        ("row-growth", ([5_000, 50_000, 500_000] as [UInt64]).map { tableJoin("\($0) rows", keys: $0) }),
        (
            "window-growth",
            [600, 60, 6].map { windowedCount("windows of \($0) s", keys: 1_000, size: .seconds($0)) }
        ),
        ("session-growth", ([10_000, 100_000] as [UInt64]).map { sessionCount("sessions of \($0) keys", keys: $0) }),
        ("slide-growth", ([10_000, 100_000] as [UInt64]).map { slidingCount("windows of \($0) keys", keys: $0) }),
        (
            "subscriber-growth",
            ([10_000, 1_000, 100] as [UInt64]).map {
                foreignKeyJoin("\(100_000 / $0) subscribers", foreignKeys: $0, changesRight: false)
            }
        ),
    ]

    static func windowedCount(_ name: String, keys: UInt64, size: Duration = .seconds(60)) -> OperatorWorkload {
        OperatorWorkload(
            name: name, topics: ["in"],
            topology: { builder in
                builder.stream("in", key: .string, value: .bytes).groupByKey()
                    .windowedBy(.tumbling(size: size, grace: .seconds(600))).count(as: "counts").toStream().to("out")
            }, source: stream(keys))
    }

    static func sessionCount(_ name: String, keys: UInt64) -> OperatorWorkload {
        OperatorWorkload(
            name: name, topics: ["in"],
            topology: { builder in
                builder.stream("in", key: .string, value: .bytes).groupByKey()
                    .windowedBy(.inactivity(gap: .seconds(5), grace: .seconds(60))).count(as: "counts").toStream()
                    .to("out")
            }, source: stream(keys))
    }

    static func slidingCount(_ name: String, keys: UInt64) -> OperatorWorkload {
        OperatorWorkload(
            name: name, topics: ["in"],
            topology: { builder in
                let windows = SlidingWindows.within(.seconds(10), grace: .seconds(60))
                builder.stream("in", key: .string, value: .bytes).groupByKey().windowedBy(windows).count(as: "counts")
                    .toStream().to("out")
            }, source: stream(keys))
    }

    static func streamTableJoin(_ name: String, rows: Int64) -> OperatorWorkload {
        OperatorWorkload(
            name: name, topics: ["in", "rows"], preload: rows,
            topology: { builder in
                builder.stream("in", key: .string, value: .bytes)
                    .join(builder.table("rows", key: .string, value: .bytes, as: "rows"), first50)
                    .to("out", value: .bytes)
            },
            source: { index in
                index < rows ? (1, UInt64(index), 0) : (0, mixed(index) % UInt64(rows), index)
            })
    }

    /// Each record meets one of the other side; of an outer join's, each eighth meets none.
    static func streamJoin(_ name: String, isOuter: Bool) -> OperatorWorkload {
        OperatorWorkload(
            name: name, topics: ["in", "right"],
            topology: { builder in
                let left = builder.stream("in", key: .string, value: .bytes)
                let right = builder.stream("right", key: .string, value: .bytes)
                let windows = JoinWindows.within(.seconds(5), grace: .seconds(60))
                let joined =
                    isOuter
                    ? left.outerJoin(right, within: windows, as: "join") { $0 ?? $1 ?? [] }
                    : left.join(right, within: windows, as: "join", first50)
                joined.to("out", value: .bytes)
            },
            source: { index in
                let pair = UInt64(index / 2)
                return (Int(index % 2), isOuter && pair % 8 == 0 ? UInt64(index) << 32 : pair, index)
            })
    }

    static func tableJoin(_ name: String, keys: UInt64) -> OperatorWorkload {
        OperatorWorkload(
            name: name, topics: ["in", "right"],
            topology: { builder in
                builder.table("in", key: .string, value: .bytes, as: "left")
                    .join(builder.table("right", key: .string, value: .bytes, as: "right"), first50)
                    .toStream().to("out", value: .bytes)
            }, source: { (Int($0 % 2), mixed($0) % keys, $0) })
    }

    static func suppress(_ name: String, keys: UInt64) -> OperatorWorkload {
        OperatorWorkload(
            name: name, topics: ["in"],
            topology: { builder in
                builder.stream("in", key: .string, value: .bytes).groupByKey()
                    .windowedBy(.tumbling(size: .seconds(20), grace: .seconds(1))).count(as: "counts")
                    .suppress(.untilWindowCloses()).toStream().to("out")
            }, source: stream(keys))
    }

    /// Rows that refer to one of `foreignKeys` others; each eleventh record changes one of those.
    static func foreignKeyJoin(
        _ name: String, keys: UInt64 = 100_000, foreignKeys: UInt64, changesRight: Bool = true
    ) -> OperatorWorkload {
        var workload = OperatorWorkload(
            name: name, topics: ["in", "right"], preload: Int64(foreignKeys),
            topology: { builder in
                builder.table("in", key: .string, value: .bytes, as: "left")
                    .join(
                        builder.table("right", key: .string, value: .bytes, as: "right"),
                        on: { value in String(decoding: value[..<16], as: UTF8.self) }, first50
                    )
                    .toStream().to("out", value: .bytes)
            },
            source: { index in
                if index < foreignKeys { return (1, UInt64(index), 0) }
                return changesRight && index % 11 == 10
                    ? (1, mixed(index) % foreignKeys, index) : (0, mixed(index) % keys, index)
            })
        workload.foreignKeys = foreignKeys
        return workload
    }

    static func versionedJoin(_ name: String, keys: UInt64) -> OperatorWorkload {
        OperatorWorkload(
            name: name, topics: ["in", "rows"],
            topology: { builder in
                let rows = builder.table(
                    "rows", key: .string, value: .bytes,
                    materialized: Materialized(as: "rows", type: .versioned(history: .seconds(60))))
                builder.stream("in", key: .string, value: .bytes).join(rows, grace: .seconds(1), first50)
                    .to("out", value: .bytes)
            }, source: { ($0 % 4 == 0 ? 1 : 0, mixed($0) % keys, $0) })
    }
}

/// The same number for the same index, and in no order (splitmix64).
func mixed(_ index: Int64) -> UInt64 {
    var mixed = UInt64(bitPattern: index) &+ 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
}

@Sendable private func first50(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] { Array(left[..<50] + right[..<50]) }
