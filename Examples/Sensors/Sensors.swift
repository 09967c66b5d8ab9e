// Readings of sensors, each to where it belongs: `readings` in, `broken`, `alarms` and `temperatures` out.
//
//     tributary topics create readings broken alarms temperatures --log ./sensors
//     for celsius in 20.5 48.5 999; do echo "{\"key\":\"oven\",\"value\":{\"celsius\":$celsius}}"; done |
//         tributary topics produce readings --log ./sensors
//     Sensors ./sensors &
//     tributary topics consume alarms --follow --max 1 --log ./sensors
//     kill $!
import Tributary

@main struct Sensors: TributaryApp {
    let configuration = StreamsConfiguration(
        applicationID: "sensors", log: .embedded(at: CommandLine.arguments.dropFirst().first ?? "./data"))

    func build(_ builder: StreamsBuilder) throws {
        let branches = builder.stream("readings", of: Reading.self)
            .split(named: "reading-")
            .branch("broken") { _, reading in !(-80...60).contains(reading.celsius) }
            .branch("hot") { _, reading in reading.celsius >= 35 }
            .defaultBranch("normal")
        branches["broken"].to("broken")
        branches["hot"].to("alarms")
        branches["normal"].mapValues { reading in reading.celsius }.to("temperatures")
    }
}

struct Reading: JSONRecordable {
    var celsius: Double
}
