// One summary a sensor and minute, though readings come late: `readings` (sensor: celsius) in, `minutes` out.
//
// A minute waits 30 s of the readings' time for those that are late (grace); what comes later still is left out, counted
// (`dropped_records`) and logged. Nothing is said of a minute before it is closed, and nothing more afterwards (suppress).
//
//     LateReadings LOG
import Tributary

@main struct LateReadings: TributaryApp {
    let configuration = StreamsConfiguration(
        applicationID: "late-readings", log: .embedded(at: CommandLine.arguments.dropFirst().first ?? "./data"),
        // Each reading that is left out is a warning; here they are expected.
        logs: .none)

    func build(_ builder: StreamsBuilder) throws {
        let minute = Duration.seconds(60)
        builder.stream("readings", of: Reading.self)
            .groupByKey()
            .windowedBy(.tumbling(size: minute, grace: .seconds(30)))
            .aggregate(into: Summary(), as: "minutes") { summary, reading in summary.add(reading) }
            .suppress(.untilWindowCloses())
            .toStream()
            .to("minutes", key: .timeWindowed(.string, size: minute))
    }
}

struct Reading: JSONRecordable {
    var celsius: Double
}

/// What a minute's readings were like.
struct Summary: JSONRecordable {
    var count = 0
    var lowest = Double.infinity
    var highest = -Double.infinity

    mutating func add(_ reading: Reading) {
        count += 1
        lowest = min(lowest, reading.celsius)
        highest = max(highest, reading.celsius)
    }
}
