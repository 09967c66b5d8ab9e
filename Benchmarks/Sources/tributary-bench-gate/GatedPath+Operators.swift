import Tributary

extension GatedPath {
    /// The stateful operators; 500 keys, each of which comes again after half a second of record time.
    static let operators: [GatedPath] = [
        ("off", LineageMode.off), ("cells", LineageMode.cells),
    ].flatMap { suffix, mode in
        func path(
            _ name: String, _ topics: [String] = ["in"], hasSubscribers: Bool = false,
            _ topology: @escaping @Sendable (StreamsBuilder) -> Void
        ) -> GatedPath {
            GatedPath(
                name: "\(name)-\(suffix)", mode: mode, isSampled: false,
                topology: {
                    let builder = StreamsBuilder()
                    topology(builder)
                    return try builder.build()
                }, cacheBytes: 64 << 20, kind: .integers, topics: topics, hasSubscribers: hasSubscribers)
        }
        return [
            path("session-count") { builder in
                builder.stream("in", key: .int64, value: .int64).groupByKey()
                    .windowedBy(.inactivity(gap: .milliseconds(499), grace: .seconds(1))).count(as: "counts")
                    .toStream().to("out")
            },
            path("sliding-count") { builder in
                let windows = SlidingWindows.within(.milliseconds(900), grace: .seconds(1))
                builder.stream("in", key: .int64, value: .int64).groupByKey().windowedBy(windows).count(as: "counts")
                    .toStream().to("out")
            },
            path("suppress") { builder in
                builder.stream("in", key: .int64, value: .int64).groupByKey()
                    .windowedBy(.tumbling(size: .milliseconds(2000), grace: .milliseconds(500))).count(as: "counts")
                    .suppress(.untilWindowCloses()).toStream().to("out")
            },
            path("stream-join", ["in", "right"]) { builder in
                builder.stream("in", key: .int64, value: .int64)
                    .join(
                        builder.stream("right", key: .int64, value: .int64),
                        within: .within(.milliseconds(900), grace: .seconds(1))
                    ) { $0 &+ $1 }
                    .to("out", value: .int64)
            },
            path("outer-join", ["in", "right"]) { builder in
                builder.stream("in", key: .int64, value: .int64).filter { key, _ in key < 300 }
                    .outerJoin(
                        builder.stream("right", key: .int64, value: .int64).filter { key, _ in key >= 200 },
                        within: .within(.milliseconds(900), grace: .seconds(1))
                    ) { ($0 ?? 0) &+ ($1 ?? 0) }
                    .to("out", value: .int64)
            },
            path("table-join", ["in", "right"]) { builder in
                builder.table("in", key: .int64, value: .int64, as: "left")
                    .join(builder.table("right", key: .int64, value: .int64, as: "right")) { $0 &+ $1 }
                    .toStream().to("out", value: .int64)
            },
            path("foreign-key") { builder in foreignKey(builder) },
            path("foreign-key-right", ["right"], hasSubscribers: true) { builder in foreignKey(builder) },
        ]
    }

    private static func foreignKey(_ builder: StreamsBuilder) {
        builder.table("in", key: .int64, value: .int64, as: "left")
            .join(builder.table("right", key: .int64, value: .int64, as: "right"), on: { $0 % 50 }) { $0 &+ $1 }
            .toStream().to("out", value: .int64)
    }
}
