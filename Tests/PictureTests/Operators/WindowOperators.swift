import Tributary

/// The code of the pages *Windows* and *Suppression*.
enum WindowOperators {
    static func tumbling(_ builder: StreamsBuilder) {
        // snippet.tumbling
        builder.stream("views", of: String.self)
            .groupByKey()
            .windowedBy(.tumbling(size: .seconds(10), grace: .seconds(5)))
            .count()
            .toStream()
            .to("counts", key: .timeWindowed(.string, size: .seconds(10)))
        // snippet.end
    }

    static func hopping(_ builder: StreamsBuilder) {
        // snippet.hopping
        builder.stream("views", of: String.self)
            .groupByKey()
            .windowedBy(.hopping(size: .seconds(10), advance: .seconds(5)))
            .count()
            .toStream()
            .to("counts", key: .timeWindowed(.string, size: .seconds(10)))
        // snippet.end
    }

    static func sliding(_ builder: StreamsBuilder) {
        // snippet.sliding
        builder.stream("views", of: String.self)
            .groupByKey()
            .windowedBy(.within(.seconds(10), grace: .seconds(5)))
            .count()
            .toStream()
            .to("counts", key: .timeWindowed(.string, size: .seconds(10)))
        // snippet.end
    }

    static func sessions(_ builder: StreamsBuilder) {
        // snippet.sessions
        builder.stream("views", of: String.self)
            .groupByKey()
            .windowedBy(.inactivity(gap: .seconds(5), grace: .seconds(10)))
            .count()
            .toStream()
            .to("visits", key: .sessionWindowed(.string))
        // snippet.end
    }

    static func unlimited(_ builder: StreamsBuilder) {
        // snippet.unlimited
        builder.stream("views", of: String.self)
            .groupByKey()
            .windowedBy(.unlimited(startingAt: 10_000))
            .count()
            .toStream()
            .selectKey { windowed, _ in windowed.key }
            .to("counts")
        // snippet.end
    }

    static func onClose(_ builder: StreamsBuilder) {
        // snippet.close
        builder.stream("views", of: String.self)
            .groupByKey()
            .windowedBy(.tumbling(size: .seconds(10), grace: .seconds(5)))
            .emitStrategy(.onWindowClose)
            .count()
            .toStream()
            .to("counts", key: .timeWindowed(.string, size: .seconds(10)))
        // snippet.end
    }

    static func suppressedWindows(_ builder: StreamsBuilder) {
        // snippet.suppressed
        builder.stream("views", of: String.self)
            .groupByKey()
            .windowedBy(.tumbling(size: .seconds(10), grace: .seconds(5)))
            .count()
            .suppress(.untilWindowCloses())
            .toStream()
            .to("counts", key: .timeWindowed(.string, size: .seconds(10)))
        // snippet.end
    }

    static func suppressedTable(_ builder: StreamsBuilder) {
        // snippet.limited
        builder.table("prices", of: Int64.self)
            .suppress(.untilTimeLimit(.seconds(10)))
            .toStream()
            .to("calm-prices")
        // snippet.end
    }
}
