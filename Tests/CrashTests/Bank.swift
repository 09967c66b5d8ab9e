import CrashApplication
import TestSupport
import Testing
import Tributary
import TributaryLMDB

/// The bank app in this process, on a log of its own.
final class Bank {
    let folder: TemporaryFolder
    let log: EmbeddedLog
    let input: BankInput
    let judge: BankJudge
    let logFaults = LMDBFaults()
    let stateFaults = LMDBFaults()
    let guarantee: ProcessingGuarantee
    /// Changes settings of each run.
    var change: (inout StreamsConfiguration) -> Void = { _ in }

    init(_ guarantee: ProcessingGuarantee, in parent: String? = nil, comment: Comment) throws {
        self.guarantee = guarantee
        folder = try TemporaryFolder()
        var configuration = BankApplication.logConfiguration
        configuration.faults = logFaults
        configuration.diskReserveBytes = 0  // to run into the end of the disk itself
        log = try EmbeddedLog.open(at: (parent ?? folder.path) + "/log", configuration: configuration)
        try log.createTopics(BankApplication.topics)
        input = try BankInput(log, accounts: 40, seed: 1)
        try input.openAccounts()
        judge = BankJudge(
            guarantee, log, input, state: (parent ?? folder.path) + "/log/state/" + BankApplication.id,
            comment: comment)
    }

    /// Runs the application until it has nothing left to do, then stops it; returns what it failed with.
    func run() async -> (any Error)? {
        do {
            var configuration = BankApplication.configuration(.open(log), guarantee, threads: 2)
            configuration.handlesSignals = false
            configuration.stateFaults = stateFaults
            change(&configuration)
            let app = try StreamsApplication(BankApplication.topology(), configuration: configuration)
            let running = Task { try await app.run() }
            while app.state != .error && app.state != .pendingError {
                if app.state == .running, try judge.lag().isEmpty { break }
                try await Task.sleep(for: .milliseconds(2))
            }
            app.shutdown()
            try await running.value
            return nil
        } catch {
            return error
        }
    }

    /// Runs and records what it failed with, if it did.
    func runWell() async {
        if let failure = await run() { Issue.record("the application failed: \(failure) \(judge.comment)") }
    }

    func close() {
        input.close()
        log.close()
    }
}
