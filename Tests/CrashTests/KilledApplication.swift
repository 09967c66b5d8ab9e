import CrashApplication
import Glibc
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

/// What an application is given that is killed.
protocol KilledInput: AnyObject {
    /// Sends what must be there first.
    func prepare() throws
    /// Sends some more.
    func work(_ count: Int) throws
    func end()
}

extension ShopInput: KilledInput {}
extension DepotInput: KilledInput {}

/// An application on one log, killed again and again.
final class KilledApplication {
    static let isSoak = environment("TRIBUTARY_SOAK") != nil

    /// How many kills, from `TRIBUTARY_KILLS`; else 5, or 100 in a soak.
    static var kills: Int { environment("TRIBUTARY_KILLS").flatMap { Int($0) } ?? (isSoak ? 100 : 5) }

    static var seed: UInt64 {
        environment("TRIBUTARY_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)
    }

    let folder: TemporaryFolder
    let log: EmbeddedLog
    let comment: Comment
    /// Where its state lies.
    let state: String
    private(set) var points: [String: Int] = [:]
    private let id: String
    private let guarantee: ProcessingGuarantee
    private var random: SeededGenerator
    private var input: (any KilledInput)?
    private var lag: () throws -> [TopicPartition: Int64] = { [:] }

    init(_ id: String, _ topics: [TopicSpecification], _ guarantee: ProcessingGuarantee, seed: UInt64) throws {
        self.id = id
        self.guarantee = guarantee
        comment = "\(guarantee.rawValue), TRIBUTARY_SEED=\(seed)"
        folder = try TemporaryFolder()
        state = "\(folder.path)/log/state/\(id)"
        log = try EmbeddedLog.open(at: folder.path + "/log", configuration: BankApplication.logConfiguration)
        try log.createTopics(topics)
        random = SeededGenerator(seed: seed)
    }

    deinit {
        input?.end()
        log.close()
    }

    func start() throws -> Program {
        try Program(
            [
                Program.own("tributary-crash-child"), folder.path + "/log", guarantee.rawValue,
                "\(1 + random.next() % 3)",
            ], environment: ["TRIBUTARY_CRASH_APP": id])
    }

    private func pause(upTo milliseconds: UInt64) { usleep(UInt32(random.next() % (milliseconds * 1000))) }

    /// Writes what must be there first, and waits until it is.
    func begin(_ input: any KilledInput, lag: @escaping () throws -> [TopicPartition: Int64]) throws {
        self.input = input
        self.lag = lag
        try input.prepare()
        try stopWhenDone(try start())
    }

    /// Starts the application and kills it: some time after its start, in full work, or in its shutdown.
    func kill(_ number: Int) throws {
        try input?.work(Int(random.next() % 600))
        if random.next() % 4 == 0, rename(state, "\(folder.path)/lost-\(number)") == 0 {
            points["with the state lost", default: 0] += 1
        }
        let child = try start()
        let point = random.next() % 4
        if point == 0 {
            points["during start", default: 0] += 1
            pause(upTo: 250)
        } else {
            let said = child.read(milliseconds: 30_000)
            try #require(said == "running\n", "\(said) \(comment)")
            for _ in 0..<(random.next() % 4) {
                try input?.work(Int(random.next() % 400))
                pause(upTo: 60)
            }
            pause(upTo: 60)
            points[point == 1 ? "in shutdown" : "in work", default: 0] += 1
            if point == 1 {
                child.signal(SIGTERM)
                pause(upTo: 30)
            }
        }
        child.signal(SIGKILL)
        let status = child.wait()
        if try !lag().isEmpty { points["with work left", default: 0] += 1 }
        #expect(status == -SIGKILL || (point == 1 && status == 0), "ended by itself: \(status) \(comment)")
    }

    func stopWhenDone(_ child: Program) throws {
        try waitUntilDone()
        child.signal(SIGTERM)
        #expect(child.wait() == 0, comment)
    }

    func waitUntilDone() throws {
        var last: [TopicPartition: Int64] = [:]
        var waited = 0
        while true {
            let lag = try lag()
            if lag.isEmpty { return }
            waited = lag == last ? waited + 1 : 0
            last = lag
            try #require(waited < 2000, "the application does not get on: \(lag) \(comment)")
            usleep(10_000)
        }
    }

    /// Lets the application do what is left.
    func finish() throws {
        try input?.work(300)
        try stopWhenDone(try start())
    }
}
