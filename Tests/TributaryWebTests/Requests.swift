import Dispatch
import Glibc
import Testing

struct SocketError: Error {}

struct Answer {
    var status = 0
    var headers: [String: String] = [:]
    var body = ""
}

/// Sends bytes as they are, so that broken requests can be sent too, and reads until the other side closes.
func request(_ port: UInt16, _ text: String) throws -> Answer {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let connected = withUnsafePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
    }
    guard connected == 0 else { throw SocketError() }
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
        let count = bytes[sent...].withUnsafeBytes {
            send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 else { break }
        sent += count
    }
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { break }
        received += buffer[..<count]
    }
    return parse(String(decoding: received, as: UTF8.self))
}

func get(_ port: UInt16, _ path: String, _ headers: [String] = [], host: String = "127.0.0.1") throws -> Answer {
    let lines = ["GET \(path) HTTP/1.1", "Host: \(host)", "Connection: close"] + headers
    return try request(port, lines.joined(separator: "\r\n") + "\r\n\r\n")
}

/// The same on another thread, so that pages, which are tasks, are not kept from running.
func getAsync(_ port: UInt16, _ path: String) async throws -> Answer {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(with: Result { try get(port, path) }) }
    }
}

private func parse(_ text: String) -> Answer {
    var answer = Answer()
    // "\r\n" is one Character.
    guard let end = text.firstRange(of: "\r\n\r\n") else { return answer }
    answer.body = String(text[end.upperBound...])
    for (index, line) in text[..<end.lowerBound].split(separator: "\r\n").enumerated() {
        if index == 0 {
            answer.status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        } else if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...]
            answer.headers[line[..<colon].lowercased()] = String(value.drop { $0 == " " })
        }
    }
    return answer
}
