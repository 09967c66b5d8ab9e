import Tributary
import TributaryTesting

/// What a picture's topology did, step by step.
struct PictureRun {
    struct Step {
        let input: Input
        var outputs: [(topic: String, shown: Output.Shown)] = []
        /// How many records were left out.
        var dropped: Int64 = 0
    }

    var steps: [Step] = []

    init(_ picture: Picture) throws {
        let builder = StreamsBuilder()
        picture.build(builder)
        var configuration = TestDriverConfiguration()
        if picture.isCached {
            configuration.runtime.cacheBytes = 1 << 20
            configuration.recordsPerCommit = .max
        }
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        var dropped: Int64 = 0
        for input in picture.inputs {
            try input.apply(driver)
            var step = Step(input: input)
            let records = try driver.takeRecords()
            // In the order of the lanes; within one as they came.
            for output in picture.outputs {
                for (topic, record) in records where topic == output.topic {
                    step.outputs.append((topic, try output.read(record)))
                }
            }
            step.dropped = driver.droppedRecords - dropped
            dropped = driver.droppedRecords
            steps.append(step)
        }
    }
}
