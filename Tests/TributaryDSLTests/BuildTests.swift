import Testing
import TributaryCore
import TributaryDSL
import TributaryState

/// What `build()` refuses, and what it makes of names and topics.
@Suite struct BuildTests {
    private func problem(_ describe: (StreamsBuilder) -> Void) -> String? {
        let builder = StreamsBuilder()
        describe(builder)
        do { _ = try builder.build() } catch { return "\(error)" }
        return nil
    }

    private func stream(_ builder: StreamsBuilder, _ topic: String = "in", named: String? = nil) -> KStream<
        String, String
    > {
        builder.stream(topic, key: .string, value: .string, named: named)
    }

    @Test func `two operators' stores of one name are refused, even if they are alike`() throws {
        let message = try #require(
            problem { builder in
                stream(builder, "a").groupByKey().count(as: "x").toStream().to("out")
                stream(builder, "b").groupByKey().count(as: "x").toStream().to("out")
            })
        #expect(message.contains("'x'"))
        #expect(
            problem { builder in
                let grouped = stream(builder).groupByKey()
                _ = grouped.count(as: "x")
                _ = grouped.count(as: "x")
            } != nil)
        #expect(
            problem { builder in
                _ = builder.table("a", key: .string, value: .string, as: "x")
                _ = stream(builder).toTable(as: "x")
            } != nil)
        #expect(
            problem { builder in
                let grouped = stream(builder).groupByKey()
                _ = grouped.windowedBy(.tumbling(size: .seconds(1))).count(as: "x")
                _ = grouped.windowedBy(.tumbling(size: .seconds(1))).count(as: "x")
            } != nil)
    }

    @Test(arguments: [
        TimeWindows.tumbling(size: .zero), .tumbling(size: .milliseconds(-5)), .tumbling(size: .microseconds(999)),
        .tumbling(size: .microseconds(1500)), .tumbling(size: .seconds(1), grace: .nanoseconds(-1)),
        .hopping(size: .seconds(1), advance: .zero), .hopping(size: .seconds(1), advance: .microseconds(2500)),
        .hopping(size: .seconds(1), advance: .seconds(2)),
    ])
    func `windows whose sizes aren't whole milliseconds above zero are refused`(_ windows: TimeWindows) throws {
        let message = try #require(
            problem { builder in
                stream(builder).groupByKey().windowedBy(windows).count().toStream().to("out")
            })
        #expect(message.hasPrefix("the window's "))
    }

    @Test(arguments: [Duration.zero, .seconds(-1), .microseconds(1500)])
    func `a windowed serde whose size isn't whole milliseconds above zero is refused wherever it stands`(
        _ size: Duration
    ) throws {
        let serde = Serde<Windowed<String>>.timeWindowed(.string, size: size)
        let source = problem { builder in builder.stream("in", key: serde, value: .string).to("out") }
        #expect(source?.contains("the window's size") == true)
        let sink = problem { builder in
            stream(builder).groupByKey().windowedBy(.tumbling(size: .seconds(1))).count().toStream()
                .to("out", key: serde)
        }
        #expect(sink?.contains("the window's size") == true)
        let optional = problem { builder in
            builder.table("in", key: .string, value: serde.optional).toStream().to("out")
        }
        #expect(optional?.contains("the window's size") == true)
    }

    @Test func `windows of a second and a part that a double can't hold, and of all time, are taken`() {
        for size in [Duration.seconds(1.9), .seconds(2.3), .milliseconds(Int64.max), .seconds(Int64.max)] {
            #expect(
                problem { builder in
                    stream(builder).groupByKey().windowedBy(.tumbling(size: size)).count().toStream().to("out")
                } == nil, "\(size)")
        }
        #expect(TimeWindows.tumbling(size: .seconds(1.9)).end(ofStart: 0) == 1900)
    }

    @Test func `a processors' store has no name of an operator's`() {
        let store = StoreDescription(name: "x", kind: .timestampedKeyValue, isCached: true)
        #expect(
            problem { builder in
                builder.addStateStore(store)
                _ = stream(builder).groupByKey().count(as: "x")
            } != nil)
        #expect(
            problem { builder in
                _ = stream(builder).toTable(as: "x")
                builder.addStateStore(store)
            } != nil)
    }

    @Test func `the same processors' store may be added and used more than once, a different one not`() {
        let store = StoreDescription(name: "x", kind: .keyValue)
        var other = store
        other.isCached = true
        #expect(
            problem { builder in
                builder.addStateStore(store)
                builder.addStateStore(store)
                let input = stream(builder)
                input.process(stores: ["x"]) { Nothing() }
                input.process(stores: ["x"]) { Nothing() }
            } == nil)
        #expect(
            problem { builder in
                builder.addStateStore(store)
                builder.addStateStore(other)
                stream(builder).process(stores: ["x"]) { Nothing() }
            } != nil)
    }

    @Test func `a store's name is not where another one's deleted rows are kept`() {
        #expect(
            problem { builder in
                _ = stream(builder).groupByKey().count(as: "x")
                _ = stream(builder, "b").groupByKey().count(as: "x.graves")
            } != nil)
        // Even alone: a store `x` may come later, or have been there before.
        #expect(problem { builder in _ = stream(builder).groupByKey().count(as: "x.graves") } != nil)
    }

    @Test func `two nodes of one name are refused`() {
        #expect(
            problem { builder in
                stream(builder).mapValues(named: "m") { $0 }.filter(named: "m") { _, _ in true }.to("out")
            } != nil)
        #expect(
            problem { builder in
                _ = stream(builder).split(named: "s").branch("a") { _, _ in true }.branch("a") { _, _ in true }
                    .noDefaultBranch()
            } != nil)
        #expect(
            problem { builder in
                stream(builder).to("out", named: "o")
                stream(builder, "b").to("out", named: "o")
            } != nil)
        // Of streams of the same topics only the first one's node remains.
        #expect(
            problem { builder in
                stream(builder, named: "s").to("x")
                stream(builder, named: "s").to("y")
            } == nil)
        #expect(
            problem { builder in
                stream(builder, "a", named: "s").to("x")
                stream(builder, "b", named: "s").to("y")
            } != nil)
    }

    @Test func `a branch's name is checked as every other`() {
        #expect(
            problem { builder in
                _ = stream(builder).split(named: "s").branch("a b") { _, _ in true }.noDefaultBranch()
            } != nil)
    }

    @Test func `a topology that reads nothing is refused`() {
        #expect(problem { _ in } != nil)
        #expect(problem { $0.addStateStore(StoreDescription(name: "x", kind: .keyValue)) } != nil)
        #expect(
            problem { builder in
                builder.stream([], key: .string, value: .string).to("out")
            } != nil)
    }

    @Test func `a topic that a stream names twice is one`() throws {
        let builder = StreamsBuilder()
        builder.stream(["a", "b", "a"], key: .string, value: .string).to("out")
        #expect(try builder.build().sources.map(\.topic) == ["a", "b"])
        #expect(try builder.build().subTopologies[0].sourceTopics == ["a", "b"])
    }

    @Test func `streams of one topic have one timestamp extractor`() {
        #expect(
            problem { builder in
                builder.stream("in", key: .string, value: .string, timestamps: .logAndSkip).to("x")
                builder.stream("in", key: .string, value: .string).to("y")
            } != nil)
        #expect(
            problem { builder in
                builder.stream("in", key: .string, value: .string, timestamps: .logAndSkip).to("x")
                builder.stream("in", key: .string, value: .string, timestamps: .logAndSkip).to("y")
            } == nil)
    }

    @Test func `groups of topics that share one are one group`() throws {
        let builder = StreamsBuilder()
        let one = builder.table("t1", key: .string, value: .string)
        let three = builder.table("t3", key: .string, value: .string)
        let two = stream(builder, "t2")
        two.join(one, result: .string) { $0 + $1 }.to("out")
        two.join(three, result: .string) { $0 + $1 }.to("out")
        let five = builder.table("t5", key: .string, value: .string)
        let four = stream(builder, "t4")
        four.join(five, result: .string) { $0 + $1 }.to("out")
        four.join(five, result: .string) { $1 + $0 }.to("out")
        #expect(try builder.build().copartitionGroups == [["t1", "t2", "t3"], ["t4", "t5"]])
    }

    @Test func `a group that joins two earlier ones makes one of three`() throws {
        let builder = StreamsBuilder()
        let a = builder.table("a", key: .string, value: .string)
        let c = builder.table("c", key: .string, value: .string)
        let x = builder.table("x", key: .string, value: .string)
        stream(builder, "b").join(a, result: .string) { $0 + $1 }.to("out")
        let d = stream(builder, "d")
        d.join(c, result: .string) { $0 + $1 }.to("out")
        stream(builder, "y").join(x, result: .string) { $0 + $1 }.to("out")
        d.join(a, result: .string) { $0 + $1 }.to("out")
        #expect(try builder.build().copartitionGroups == [["a", "b", "c", "d"], ["x", "y"]])
    }
}

private final class Nothing: Processor {
    func process(_ record: Record<String, String>) throws {}
    typealias KeyOut = String
    typealias ValueOut = String
}
