// Readings of sensors, each to where it belongs: `readings` in, `broken`, `alarms` and `temperatures` out.
//
//     Sensors LOG
import Tributary

@main struct Sensors: TributaryApp {
    let configuration = StreamsConfiguration(
        applicationID: "sensors", log: .embedded(at: CommandLine.arguments.dropFirst().first ?? "./data"))

    func build(_ builder: StreamsBuilder) throws {
        let branches = builder.stream("readings", key: .string, value: .json(Reading.self))
            .split(named: "reading-")
            .branch("broken") { _, reading in !(-80...60).contains(reading.celsius) }
            .branch("hot") { _, reading in reading.celsius >= 35 }
            .defaultBranch("normal")
        branches["reading-broken"]?.to("broken")
        branches["reading-hot"]?.to("alarms")
        branches["reading-normal"]?.mapValues(value: .double) { reading in reading.celsius }.to("temperatures")
    }
}

struct Reading: Codable {
    var celsius: Double
}
